import numpy as np
import pytest
import torch
from numba import njit

from lsbench.models.ops.simd import lanes, load, multiply_add, splat, store


@njit
def square_and_add(x, y, addend):
    for i in range(np.uint64(0), np.uint64(len(x)), lanes(x)):
        store(y, i, multiply_add(load(x, i), load(x, i), splat(x, addend)))


@njit
def count_lanes(x):
    return lanes(x)


@njit
def move(source, target, begin, end):
    store(target, end, load(source, begin))


@pytest.mark.parametrize(("dtype", "count"), [(np.float32, 8), (np.float64, 4), (np.uint16, 8)])
def test_a_vector_is_256_bits_of_computed_numbers(dtype, count):
    assert count_lanes(np.zeros(1, dtype)) == count


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arithmetic_is_numpys(dtype):
    x = np.random.RandomState(0).randn(24).astype(dtype)
    y = np.zeros_like(x)
    square_and_add(x, y, 0.5)
    np.testing.assert_allclose(y, x.astype(np.float64) ** 2 + 0.5, rtol=1e-6)


def test_any_index_will_do_and_nothing_beside_it_is_written():
    x, y = np.arange(20, dtype=np.float32), np.full(20, -1, np.float32)
    move(x, y, np.uint64(3), np.uint64(5))
    assert y.tolist() == [-1] * 5 + list(range(3, 11)) + [-1] * 7


def bits(tensor):
    return tensor.view(torch.uint16).numpy()


def test_bfloat16_is_rounded_as_torch_rounds_it():
    special = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 3.39e38, 1e-40, 1.0])
    x = torch.cat([special, torch.randn(4096, generator=torch.Generator().manual_seed(0))]).bfloat16()
    y = torch.empty_like(x)
    square_and_add(bits(x), bits(y), 0.123456789)
    expected = (x.double() ** 2 + torch.tensor(0.123456789).double()).float().bfloat16()
    assert torch.equal(y.isnan(), expected.isnan())
    assert torch.equal(y.nan_to_num(), expected.nan_to_num())
