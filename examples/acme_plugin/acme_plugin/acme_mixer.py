"""Gated depth-wise 3x3 convolution: each pixel computes a gate for its neighbourhood."""

from __future__ import annotations

from torch import Tensor, nn


class GatedConv(nn.Module):
    """A depth-wise convolution, multiplied by a gate that is computed from each pixel.

    Args:
        dim: Number of input and output channels.
        kernel_size: Side of the kernel, odd.
    """

    def __init__(self, dim: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.gate = nn.Conv2d(dim, dim, 1)
        self.mix = nn.Conv2d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.norm = nn.BatchNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mixed map, shape (B, C, H, W) like the input."""
        mixed: Tensor = self.norm(self.mix(x) * self.gate(x).sigmoid())
        return mixed


MIXER = GatedConv
