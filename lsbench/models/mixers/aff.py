"""AFF: the map's spectrum, filtered by a mask that is predicted from it.

A product of spectra is a circular convolution of maps: global token mixing with a kernel as large as the map
and different for each image.

Source:
    Adaptive Frequency Filters As Efficient Global Token Mixers, ICCV 2023, arXiv:2307.14008, section 3; a row
        of
    LSNet's Table 5, whose settings are not stated. The 8 groups are AFFNet's. LSNet-T costs 0.3057 G with it
        at 224 px (0.0012 G for its Fourier transforms); LSNet's table has 0.30 G.

Differs from the authors' code:
    The mask is as the paper draws it, without the soft threshold of 0.01 that their code adds. One residual
    instead of two (theirs adds the normalised input as well). The inverted residual that precedes it in their
    block is left to the block's FFN.
"""

# ruff: noqa: N806 - shape suffixes name the axes
from __future__ import annotations

import torch
from torch import Tensor, nn

from lsbench.models.checks import check_positive


class AFF(nn.Module):
    """``x + F^-1(mask(F(norm(x))) * F(norm(x)))``, where ``mask`` is group linear, ReLU, group linear.

    Args:
        dim: Channels C of input and output.
        num_groups: Groups of the mask's linear layers.

    Raises:
        ValueError: If the groups do not divide C.
    """

    def __init__(self, dim: int, *, num_groups: int = 8) -> None:
        super().__init__()
        if dim % check_positive("num_groups", num_groups):
            raise ValueError(f"num_groups {num_groups} does not divide the {dim} channels of a stage")
        self.num_groups = num_groups
        self.norm = nn.GroupNorm(1, dim)
        linears = [_ComplexGroupLinear(dim, num_groups) for _ in range(2)]
        self.mask = nn.Sequential(linears[0], nn.ReLU(), linears[1])

    def forward(self, x: Tensor) -> Tensor:
        """Return input plus filtered features, same shape."""
        normed = self.norm(x)
        # There is no transform in bfloat16, and in float16 only for sizes that are powers of two.
        with torch.autocast(x.device.type, enabled=False):
            precise = normed.to(torch.promote_types(normed.dtype, torch.float32))
            spectrum = torch.fft.rfft2(precise, norm="ortho")
            filtered = torch.fft.irfft2(self._mask(spectrum) * spectrum, s=x.shape[2:], norm="ortho")
        y: Tensor = x + filtered.to(x.dtype)
        return y

    def _mask(self, spectrum: Tensor) -> Tensor:
        """Return one complex factor per channel and frequency, same shape."""
        batch, channels, *frequencies = spectrum.shape
        parts_BGbHW = spectrum.reshape(batch, self.num_groups, channels // self.num_groups, *frequencies)
        planes = torch.stack([parts_BGbHW.real, parts_BGbHW.imag], dim=2).flatten(1, 3)
        masked = self.mask(planes).reshape(batch, self.num_groups, 2, -1, *frequencies)
        return torch.complex(masked[:, :, 0], masked[:, :, 1]).flatten(1, 2)


class _ComplexGroupLinear(nn.Module):
    """A complex linear layer within each group, on planes ordered by group, then real before imaginary."""

    def __init__(self, dim: int, groups: int) -> None:
        super().__init__()
        width = dim // groups
        # Both initialised as the authors': the mask is near 0, and the mixer near the identity.
        self.weight = nn.Parameter(0.02 * torch.randn(2, groups, width, width))
        self.bias = nn.Parameter(0.02 * torch.randn(groups, 2, width))

    def forward(self, planes: Tensor) -> Tensor:
        real, imag = self.weight.to(planes.dtype)
        rows = torch.cat([torch.cat([real, -imag], dim=2), torch.cat([imag, real], dim=2)], dim=1)
        bias = self.bias.to(planes.dtype).flatten()
        return nn.functional.conv2d(
            planes, rows.flatten(0, 1)[:, :, None, None], bias, groups=self.bias.shape[0]
        )


MIXER = AFF
