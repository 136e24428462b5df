import pytest
import torch

from lsbench.models.mixers.large_small_static import LargeSmallStatic


def test_the_window_is_the_large_kernels_or_the_sum_of_both():
    for combine, reach in (("sum", 3), ("sequence", 4)):
        module = LargeSmallStatic(4, combine=combine).eval()
        x = torch.zeros(1, 4, 11, 11, requires_grad=True)
        (gradient,) = torch.autograd.grad(module(x)[0, :, 5, 5].sum(), x)
        rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
        assert (rows.min().item(), rows.max().item()) == (5 - reach, 5 + reach)


def test_other_words_are_refused():
    with pytest.raises(ValueError, match="combine must be 'sum' or 'sequence', got 'mean'"):
        LargeSmallStatic(4, combine="mean")
