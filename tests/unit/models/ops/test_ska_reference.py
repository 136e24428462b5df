import pytest
import torch

from lsbench.models.ops.ska_reference import accumulation_dtype, ska_reference


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_is_the_definition(inputs, definition, kernel):
    x, weight, _ = inputs(kernel=kernel)
    torch.testing.assert_close(ska_reference(x, weight), definition(x, weight))


def test_half_precision_is_summed_in_float32_and_rounded_once(inputs):
    x, weight, _ = inputs(dtype=torch.bfloat16)
    expected = ska_reference(x.float(), weight.float())
    assert torch.equal(ska_reference(x, weight), expected.bfloat16())
    assert accumulation_dtype(torch.float16) == torch.float32


def test_can_be_differentiated_twice(inputs):
    x, weight, _ = inputs(batch=1, channels=4, groups=2, height=2, width=3, grad=True)
    assert torch.autograd.gradgradcheck(ska_reference, (x, weight))
