"""Building blocks of the LSNet backbone, with the module names of the authors' checkpoints.

Shapes: B batch, C channels, H, W plane, N = H * W tokens. Every module maps (B, C, H, W) to (B, C', H', W').

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.4 and supplement A.2. The attention with one learned bias
    per offset is LeViT's (arXiv:2104.01136), with EfficientViT's depth-wise convolution on the queries
    (2305.07027).
"""

# ruff: noqa: N803, N806 - shape suffixes name the axes
from __future__ import annotations

from collections import OrderedDict
from itertools import product

import torch
from timm.layers.drop import DropPath
from timm.layers.squeeze_excite import SqueezeExcite
from torch import Tensor, nn


class ConvNorm(nn.Sequential):
    """Convolution without bias (`c`) followed by batch normalisation (`bn`); keeps the size at stride 1."""

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        norm_weight: float = 1.0,
    ) -> None:
        conv = nn.Conv2d(in_chans, out_chans, kernel, stride, kernel // 2, groups=groups, bias=False)
        norm = nn.BatchNorm2d(out_chans)
        nn.init.constant_(norm.weight, norm_weight)
        super().__init__(OrderedDict(c=conv, bn=norm))


class BNLinear(nn.Sequential):
    """Batch normalisation (`bn`) of a feature vector followed by a linear layer (`l`): the classifier."""

    def __init__(self, in_features: int, out_features: int) -> None:
        linear = nn.Linear(in_features, out_features)
        nn.init.trunc_normal_(linear.weight, std=0.02)
        nn.init.zeros_(linear.bias)
        super().__init__(OrderedDict(bn=nn.BatchNorm1d(in_features), l=linear))


class Residual(nn.Module):
    """``x + m(x)``, where the branch is skipped for a random part of the batch in training (drop path)."""

    def __init__(self, module: nn.Module, drop_path: float = 0.0) -> None:
        super().__init__()
        self.m = module
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of input and branch, same shape."""
        y: Tensor = x + self.drop_path(self.m(x))
        return y


class ResidualNorm(nn.Module):
    """``x + bn(module(x))``: what surrounds a simple token mixer, as it does SKA in the LS convolution."""

    def __init__(self, dim: int, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.bn = nn.BatchNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of input and normalised branch, same shape."""
        y: Tensor = x + self.bn(self.module(x))
        return y


class RepVGGDW(nn.Module):
    """Extra depth-wise convolution: 3x3 and 1x1 branches and the input, summed (RepVGG, arXiv:2101.03697)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = ConvNorm(dim, dim, 3, groups=dim)
        self.conv1 = ConvNorm(dim, dim, 1, groups=dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the three branches, same shape."""
        y: Tensor = self.conv(x) + self.conv1(x) + x
        return y


class FFN(nn.Sequential):
    """Channel mixer: point-wise to twice the width, ReLU, point-wise back; it starts as zero."""

    def __init__(self, dim: int, expansion: int = 2) -> None:
        hidden = dim * expansion
        narrow = ConvNorm(hidden, dim, norm_weight=0.0)
        super().__init__(OrderedDict(pw1=ConvNorm(dim, hidden), act=nn.ReLU(), pw2=narrow))


class Attention(nn.Module):
    """Self-attention over all pixels of a small map, with one learned bias per head and offset.

    Args:
        dim: Channels C; the values of one head are ``dim / num_heads`` wide.
        key_dim: Width of one head's queries and keys.
        num_heads: Heads.
        resolution: (H, W) of the map; the biases are built for it.

    Raises:
        ValueError: If the heads do not divide the channels.
    """

    attention_bias_idxs: Tensor

    def __init__(self, dim: int, *, key_dim: int, num_heads: int, resolution: tuple[int, int]) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"{num_heads} heads do not divide the {dim} channels of the last stage")
        self.num_heads = num_heads
        self.resolution = resolution
        self.scale = key_dim**-0.5
        self.widths = (key_dim * num_heads, key_dim * num_heads, dim)
        self.qkv = ConvNorm(dim, sum(self.widths))
        self.proj = nn.Sequential(nn.ReLU(), ConvNorm(dim, dim, norm_weight=0.0))
        self.dw = ConvNorm(self.widths[0], self.widths[0], 3, groups=self.widths[0])
        indices, count = _offset_indices(resolution)
        self.attention_biases = nn.Parameter(torch.zeros(num_heads, count))
        self.register_buffer("attention_bias_idxs", indices)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the attended features, same shape.

        Raises:
            ValueError: If the map is not of the size the module was built for.
        """
        batch, _, height, width = x_BCHW.shape
        if (height, width) != self.resolution:
            raise ValueError(
                f"attention was built for a map of {self.resolution}, got {(height, width)}: "
                "create the model with the img_size it is used at"
            )
        q, k, v = self.qkv(x_BCHW).split(self.widths, dim=1)
        q, k, v = (t.reshape(batch, self.num_heads, -1, height * width) for t in (self.dw(q), k, v))
        attn = (q.transpose(-2, -1) @ k) * self.scale + self._biases()
        y_BHDN = v @ attn.softmax(dim=-1).transpose(-2, -1)
        y: Tensor = self.proj(y_BHDN.reshape(x_BCHW.shape))
        return y

    def _biases(self) -> Tensor:
        # One gather each time: a cached copy goes stale when weights are loaded or moved.
        chosen = self.attention_biases.index_select(1, self.attention_bias_idxs.flatten())
        return chosen.view(self.num_heads, *self.attention_bias_idxs.shape)


def _offset_indices(resolution: tuple[int, int]) -> tuple[Tensor, int]:
    """Return the (N, N) number of each pair's absolute offset, by first appearance, and their count."""
    points = list(product(range(resolution[0]), range(resolution[1])))
    seen: dict[tuple[int, int], int] = {}
    indices = [
        seen.setdefault((abs(a[0] - b[0]), abs(a[1] - b[1])), len(seen)) for a in points for b in points
    ]
    return torch.tensor(indices).view(len(points), len(points)), len(seen)


class Block(nn.Module):
    """One block: token mixer, squeeze-and-excitation or nothing, then the residual FFN."""

    def __init__(self, dim: int, mixer: nn.Module, *, has_se: bool, drop_path: float = 0.0) -> None:
        super().__init__()
        self.mixer = mixer
        self.se = SqueezeExcite(dim, 0.25) if has_se else nn.Identity()
        self.ffn = Residual(FFN(dim), drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, same shape."""
        y: Tensor = self.ffn(self.se(self.mixer(x)))
        return y
