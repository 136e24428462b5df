"""Large and small static depth-wise convolutions, combined.

"See large, focus small" without dynamic weights: relative position alone decides the weights of neighbours.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, supplement B, "simply combining large-kernel with small-kernel
    convolutions".

Differs from the authors' code:
    They publish neither code nor a number for it. Here both kernels work at full width, each with its own
    normalisation, and are summed; ``combine: sequence`` applies the small one to the output of the large one
    instead, at the same cost.
"""

from __future__ import annotations

from torch import Tensor, nn

from lsbench.models.blocks import ConvNorm, ResidualNorm
from lsbench.models.checks import check_odd_kernel


class LargeSmallStatic(ResidualNorm):
    """``x + bn(large(x) + small(x))``, or ``x + bn(small(large(x)))``.

    Args:
        dim: Channels C of input and output.
        kernel_large: Odd size of the large kernel.
        kernel_small: Odd size of the small kernel.
        combine: ``"sum"`` or ``"sequence"``.

    Raises:
        ValueError: If a kernel is even or `combine` is neither word.
    """

    def __init__(
        self, dim: int, *, kernel_large: int = 7, kernel_small: int = 3, combine: str = "sum"
    ) -> None:
        if combine not in ("sum", "sequence"):
            raise ValueError(f"combine must be 'sum' or 'sequence', got {combine!r}")
        large = ConvNorm(dim, dim, check_odd_kernel("kernel_large", kernel_large), groups=dim)
        small = ConvNorm(dim, dim, check_odd_kernel("kernel_small", kernel_small), groups=dim)
        super().__init__(dim, _Sum(large, small) if combine == "sum" else nn.Sequential(large, small))


class _Sum(nn.Module):
    def __init__(self, large: nn.Module, small: nn.Module) -> None:
        super().__init__()
        self.large = large
        self.small = small

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.large(x) + self.small(x)
        return y


MIXER = LargeSmallStatic
