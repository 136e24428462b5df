import numpy as np
import pytest
import torch
from numba import njit

from lsbench.models.ops.simd import (
    kept,
    lanes,
    load,
    load_columns,
    multiply_add,
    scaled,
    scaled_plus,
    splat,
    store,
    store_columns,
    widens,
)


@njit
def square_and_add(x, y, addend):
    for i in range(np.uint64(0), np.uint64(len(x)), lanes(x)):
        store(y, i, multiply_add(load(x, i), load(x, i), splat(x, addend)))


@njit
def count_lanes(x):
    return lanes(x)


@njit
def count_widening(x):
    return widens(x)


@njit
def move(source, target, begin, end):
    store(target, end, load(source, begin))


@njit
def keep(source, mask, target):
    store(target, np.uint64(0), kept(load(source, np.uint64(0)), mask, np.uint64(0)))


@njit
def scale(source, scale, shift, target):
    store(target, np.uint64(0), scaled(load(source, np.uint64(0)), scale, shift))


@njit
def scale_and_add(source, scale, shift, target):
    vector = load(source, np.uint64(0))
    store(target, np.uint64(0), scaled_plus(vector, scale, shift, vector))


@njit
def take_columns(matrix, pitch, target):
    columns = load_columns(matrix, np.uint64(1), pitch)
    store(target, np.uint64(0), columns[0])
    store(target, lanes(target), columns[1])
    store(target, np.uint64(2) * lanes(target), columns[2])
    store(target, np.uint64(3) * lanes(target), columns[3])


@njit
def move_columns(source, target, pitch):
    store_columns(target, np.uint64(1), pitch, load_columns(source, np.uint64(1), pitch))


@pytest.mark.parametrize(("dtype", "count"), [(np.float32, 8), (np.float64, 4), (np.uint16, 8)])
def test_a_vector_is_256_bits_of_computed_numbers(dtype, count):
    assert count_lanes(np.zeros(1, dtype)) == count
    assert count_widening(np.zeros(1, dtype)) == (dtype == np.uint16)


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


def test_what_a_mask_does_not_keep_is_zero_even_if_it_is_not_a_number():
    x, mask, y = np.full(8, np.nan, np.float32), np.zeros(8, np.float32), np.ones(8, np.float32)
    x[[2, 5]], mask[[2, 5]] = 7, 1
    keep(x, mask, y)
    assert y.tolist() == [0, 0, 7, 0, 0, 7, 0, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_columns_of_a_matrix_are_read_and_written_and_nothing_beside_them(dtype):
    rows = 4 if dtype == torch.float64 else 8
    matrix = torch.arange(rows * 9).view(rows, 9).to(dtype)
    flat = bits(matrix.ravel()) if dtype == torch.bfloat16 else matrix.ravel().numpy()
    found = np.zeros(4 * rows, np.float64 if dtype == torch.float64 else np.float32)
    take_columns(flat, np.uint64(9), found)
    assert found.reshape(4, rows).tolist() == matrix.double()[:, 1:5].T.tolist()
    moved = torch.full_like(matrix, -1)
    move_columns(
        flat, bits(moved.view(-1)) if dtype == torch.bfloat16 else moved.view(-1).numpy(), np.uint64(9)
    )
    expected = torch.full_like(matrix, -1)
    expected[:, 1:5] = matrix[:, 1:5]
    assert torch.equal(moved, expected)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 0), (np.float64, 1e-14)])
def test_numbers_scaled_in_float64_are_rounded_once(dtype, tolerance):
    source = np.random.default_rng(0).standard_normal(8).astype(dtype)[: 32 // np.dtype(dtype).itemsize]
    by, shift, found = 1 / 3, float(source[0]) / -3, np.empty_like(source)
    wide = source.astype(np.float64) * by + shift
    scale(source, by, shift, found)
    np.testing.assert_allclose(found[1:], wide.astype(dtype)[1:], rtol=tolerance)
    assert abs(found[0]) < 1e-15, "the product is not rounded to float32"
    scale_and_add(source, by, shift, found)
    np.testing.assert_allclose(found, (wide + source).astype(dtype), rtol=tolerance)
