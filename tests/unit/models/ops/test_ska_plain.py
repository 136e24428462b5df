import pytest
import torch

from lsbench.models.ops.ska_plain import ska_plain, ska_tail_plain
from lsbench.models.ops.ska_reference import ska_reference
from lsbench.models.ops.ska_tail import ska_tail


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_equals_the_reference(kernel, dtype):
    x, weight = torch.randn(2, 12, 4, 7).to(dtype), torch.randn(2, 3, kernel**2, 4, 7).to(dtype)
    found = ska_plain(x, weight)
    assert found.dtype is dtype
    torch.testing.assert_close(found, ska_reference(x, weight))


@pytest.mark.parametrize("kernel", [1, 3])
def test_the_tail_equals_its_four_steps(kernel):
    x, weight = torch.randn(2, 12, 4, 7), 3 + torch.randn(2, 3 * kernel**2, 4, 7)
    affine = torch.randn(2, 3 * kernel**2).unbind()
    norm = (*torch.randn(3, 12).unbind(), 0.1 + torch.rand(12))
    found = ska_tail_plain(x, weight, affine, norm, (1e-5, 1e-3), 3)
    options = {"groups": 3, "affine": affine, "norm": norm, "epsilons": (1e-5, 1e-3)}
    # With gradients, the four steps are taken one by one.
    expected = ska_tail(x.requires_grad_(), weight, **options).detach()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
