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

# ruff: noqa: N803 - shape suffixes name the axes
from __future__ import annotations

import torch
from torch import Tensor, nn

from lsbench.models.checks import check_positive
from lsbench.models.open_sizes import is_open, transform_back, transform_real
from lsbench.models.tracing import one_node


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
        y: Tensor = x + filtered(self.norm(x), self.mask, self.num_groups).to(x.dtype)
        return y


@one_node
def filtered(x: Tensor, mask: nn.Module, groups: int) -> Tensor:
    """Return ``F^-1(mask(F(x)) * F(x))``, same shape, in float32 or float64.

    Args:
        x: Features, shape (B, C, H, W).
        mask: Maps the planes (B, 2C, H, W') of a spectrum, ordered by group, then real before imaginary, to
            the planes of its factors.
        groups: Groups of the mask.
    """
    # There is no transform in bfloat16, and in float16 only for sizes that are powers of two.
    with torch.autocast(x.device.type, enabled=False):
        precise = x.to(torch.promote_types(x.dtype, torch.float32))
        if is_open(*x.shape[2:]):
            return _filtered_without_complex(precise, mask, groups)
        spectrum = torch.fft.rfft2(precise, norm="ortho")
        parts = _by_group(spectrum, groups)
        factors = torch.complex(*_factors(mask, parts.real, parts.imag)).flatten(1, 2)
        y: Tensor = torch.fft.irfft2(factors * spectrum, s=x.shape[2:], norm="ortho")
        return y


def _filtered_without_complex(x: Tensor, mask: nn.Module, groups: int) -> Tensor:
    real, imag = (_by_group(part, groups) for part in transform_real(x))
    by_real, by_imag = _factors(mask, real, imag)
    product = by_real * real - by_imag * imag, by_real * imag + by_imag * real
    return transform_back(*product, size=(x.shape[2], x.shape[3])).flatten(1, 2)


def _by_group(spectrum: Tensor, groups: int) -> Tensor:
    batch, channels, *frequencies = spectrum.shape
    return spectrum.reshape(batch, groups, channels // groups, *frequencies)


def _factors(mask: nn.Module, real_BGbHW: Tensor, imag_BGbHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return real and imaginary part of one factor per channel and frequency, same shapes."""
    batch, groups, channels, *frequencies = real_BGbHW.shape
    planes = torch.stack([real_BGbHW, imag_BGbHW], dim=2).flatten(1, 3)
    masked = mask(planes).reshape(batch, groups, 2, channels, *frequencies)
    return masked[:, :, 0], masked[:, :, 1]


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
