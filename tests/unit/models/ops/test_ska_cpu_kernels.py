import numpy as np
import pytest
import torch
from numba import njit

from lsbench.models.ops.ska_cpu import forward
from lsbench.models.ops.ska_cpu_kernels import forward_nchw, narrowed, widened


@njit
def through_float32(source, target):
    for i in range(len(source)):
        target[i] = narrowed(widened(source[i]) * np.float32(1.01), target)


def test_stored_bfloat16_is_widened_exactly_and_rounded_to_nearest_even():
    x = torch.cat([torch.tensor([float("nan"), float("inf"), 0.0, -0.0]), torch.randn(4096)]).bfloat16()
    y = torch.empty_like(x)
    through_float32(x.view(torch.uint16).numpy(), y.view(torch.uint16).numpy())
    expected = (x.float() * 1.01).bfloat16()
    assert torch.equal(y.isnan(), expected.isnan())
    assert torch.equal(y.nan_to_num(), expected.nan_to_num())


def test_compiled_code_is_kept_on_disk():
    forward(torch.randn(1, 2, 2, 2), torch.randn(1, 1, 9, 2, 2), 3)
    assert forward_nchw.stats.cache_path
    assert sum(forward_nchw.stats.cache_hits.values()) + sum(forward_nchw.stats.cache_misses.values()) > 0


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_what_lies_around_a_tensor_in_memory_is_neither_read_nor_written(inputs, definition, layout):
    x, weight, _ = inputs(channels=24, groups=8, dtype=torch.float32, layout=layout)
    around = torch.full((x.numel() + 128,), float("nan"))
    guarded = around[64 : 64 + x.numel()].as_strided(x.shape, x.stride())
    guarded.copy_(x)
    found = forward(guarded, weight, 3)
    torch.testing.assert_close(found.double(), definition(x, weight), rtol=1e-5, atol=1e-5)
    assert around[:64].isnan().all()
    assert around[64 + x.numel() :].isnan().all()
