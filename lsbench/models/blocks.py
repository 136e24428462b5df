"""Building blocks of the LSNet backbone, with the module names of the authors' checkpoints.

Shapes: B batch, C channels, H, W plane, N = H * W tokens. Every module maps (B, C, H, W) to (B, C', H', W').
A module with a cheaper form for evaluation offers it as ``fused()``, see :mod:`lsbench.models.fusion`.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.4 and supplement A.2. The attention with one learned bias
    per offset is LeViT's (arXiv:2104.01136), with EfficientViT's depth-wise convolution on the queries
    (2305.07027).
"""

# ruff: noqa: N803, N806 - shape suffixes name the axes
from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable
from typing import cast

import torch
from timm.layers.drop import DropPath
from timm.layers.squeeze_excite import SqueezeExcite
from torch import Tensor, nn

from lsbench.models.folding import folded
from lsbench.models.open_sizes import is_open, resize_bicubic
from lsbench.models.ops.suited import is_suited
from lsbench.models.ops.train_step import can_join, conv_norm, norm_plus, pointwise
from lsbench.models.tracing import one_node

#: What an attention resizes for maps of another size.
BIAS_RESIZES = ("table", "matrix")


class ConvNorm(nn.Sequential):
    """Convolution without bias (`c`) followed by batch normalisation (`bn`); keeps the size at stride 1."""

    c: nn.Conv2d
    bn: nn.BatchNorm2d

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

    def forward(self, x: Tensor, *, has_relu: bool = False, residual: Tensor | None = None) -> Tensor:
        """Return the normalised convolution, then ReLU of it or the sum with a residual, if asked for."""
        if self.training and tuple(self._modules) == ("c", "bn") and can_join(x, self.c, self.bn, residual):
            return conv_norm(x, self.c, self.bn, has_relu=has_relu, residual_BCHW=residual)
        y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        if has_relu:
            return y.relu_()
        return y if residual is None else y + residual

    def fused(self) -> nn.Conv2d:
        """Return the equivalent convolution with bias for evaluation mode, folded in float64."""
        return folded(self.c, self.bn)


def do_what_follows(x: Tensor, layers: Iterable[nn.Module], relus: Iterable[nn.Module] = ()) -> bool:
    """Return whether `layers` are asked to compute, on the map `x` in training, what follows them.

    They must be convolutions with normalisation, and what follows them a sum or `relus`, as the model was
    built: it may have been changed since, and nobody may watch what lies between.
    """
    layers, relus = tuple(layers), tuple(relus)
    return (
        all(type(layer) is ConvNorm for layer in layers)
        and all(type(relu) is nn.ReLU for relu in relus)
        and is_suited(x, *layers, *relus)
    )


class Stem(nn.Sequential):
    """Convolutions with normalisation (:class:`ConvNorm`), and a ReLU between each two."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the last convolution's map."""
        layers = tuple(self)
        if not (self.training and do_what_follows(x, layers[::2], layers[1::2])):
            y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
            return y
        for place in range(0, len(layers), 2):
            x = layers[place](x, has_relu=place + 1 < len(layers))
        return x


class BNLinear(nn.Sequential):
    """Batch normalisation (`bn`) of a feature vector followed by a linear layer (`l`): the classifier."""

    bn: nn.BatchNorm1d
    l: nn.Linear  # noqa: E741 - the authors' name

    def __init__(self, in_features: int, out_features: int) -> None:
        linear = nn.Linear(in_features, out_features)
        nn.init.trunc_normal_(linear.weight, std=0.02)
        nn.init.zeros_(linear.bias)
        super().__init__(OrderedDict(bn=nn.BatchNorm1d(in_features), l=linear))

    @torch.no_grad()
    def fused(self) -> nn.Linear:
        """Return the equivalent linear layer for evaluation mode, folded in float64."""
        exact = copy.deepcopy(self).double().eval()
        # The shift of an affine map is its value at zero; the scale is its value at one minus the shift.
        shift, both = exact.bn(torch.tensor([[0.0], [1.0]]).to(exact.l.weight).expand(2, exact.l.in_features))
        exact.l.bias.add_(exact.l.weight @ shift)
        exact.l.weight.mul_(both - shift)
        return exact.l.to(self.l.weight.dtype)


class Residual(nn.Module):
    """``x + m(x)``, where the branch is skipped for a random part of the batch in training (drop path)."""

    def __init__(self, module: nn.Module, drop_path: float = 0.0) -> None:
        super().__init__()
        self.m = module
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of input and branch, same shape."""
        is_whole = type(self.m) is FFN and type(self.drop_path) is nn.Identity
        if self.training and is_whole and is_suited(x, self.m, self.drop_path):
            summed: Tensor = self.m(x, residual=x)
            return summed
        y: Tensor = x + self.drop_path(self.m(x))
        return y


class ResidualNorm(nn.Module):
    """``x + bn(module(x))``: the frame of a simple token mixer, like that of SKA in the LS convolution."""

    def __init__(self, dim: int, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.bn = nn.BatchNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of input and normalised branch, same shape."""
        mixed = self.module(x)
        if self.training and can_join(mixed, None, self.bn, x):
            return norm_plus(mixed, self.bn, x)
        y: Tensor = x + self.bn(mixed)
        return y


class RepVGGDW(nn.Module):
    """Extra depth-wise convolution: 3x3 and 1x1 branches and the input, summed (RepVGG, arXiv:2101.03697)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = ConvNorm(dim, dim, 3, groups=dim)
        self.conv1 = ConvNorm(dim, dim, 1, groups=dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the three branches, same shape."""
        if self.training and do_what_follows(x, (self.conv, self.conv1)):
            summed: Tensor = self.conv(x, residual=self.conv1(x, residual=x))
            return summed
        y: Tensor = self.conv(x) + self.conv1(x) + x
        return y

    @torch.no_grad()
    def fused(self) -> nn.Conv2d:
        """Return the equivalent 3x3 depth-wise convolution for evaluation mode."""
        conv, point = (folded(both.c, both.bn, dtype=torch.float64) for both in (self.conv, self.conv1))
        # A 1x1 kernel is the centre of a 3x3 one, and the input itself is a 1x1 kernel of one.
        conv.weight[:, :, 1, 1] += point.weight[:, :, 0, 0] + 1
        cast(Tensor, conv.bias).add_(cast(Tensor, point.bias))
        return conv.to(self.conv.c.weight.dtype)


class FFN(nn.Sequential):
    """Channel mixer: point-wise to twice the width, ReLU, point-wise back; initialised to zero output."""

    pw1: ConvNorm
    act: nn.ReLU
    pw2: ConvNorm

    def __init__(self, dim: int, expansion: int = 2) -> None:
        hidden = dim * expansion
        narrow = ConvNorm(hidden, dim, norm_weight=0.0)
        super().__init__(OrderedDict(pw1=ConvNorm(dim, hidden), act=nn.ReLU(inplace=True), pw2=narrow))

    def forward(self, x: Tensor, *, residual: Tensor | None = None) -> Tensor:
        """Return the mixed channels, plus a residual if there is one."""
        is_as_built = tuple(self._modules) == ("pw1", "act", "pw2")
        if self.training and is_as_built and do_what_follows(x, (self.pw1, self.pw2), (self.act,)):
            mixed: Tensor = self.pw2(self.pw1(x, has_relu=True), residual=residual)
            return mixed
        y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return y if residual is None else residual + y


class Attention(nn.Module):
    """Self-attention over all pixels of a small map, with one learned bias per head and offset.

    For a map of another size than the module was built for, the biases are resized.

    Args:
        dim: Channels C; the values of one head are ``dim / num_heads`` wide.
        key_dim: Width of one head's queries and keys.
        num_heads: Heads.
        resolution: (H, W) of the map that the biases are learned for.
        bias_resize: What is resized: ``"table"``, the biases of offsets, or ``"matrix"``, those of all pairs
            of pixels, as the authors' detectors do.

    Raises:
        ValueError: If the heads do not divide the channels, or `bias_resize` is another word.
    """

    attention_bias_idxs: Tensor

    def __init__(
        self,
        dim: int,
        *,
        key_dim: int,
        num_heads: int,
        resolution: tuple[int, int],
        bias_resize: str = "table",
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"{num_heads} heads do not divide the {dim} channels of the last stage")
        if bias_resize not in BIAS_RESIZES:
            raise ValueError(f"bias_resize must be one of {', '.join(BIAS_RESIZES)}, got {bias_resize!r}")
        self.bias_resize = bias_resize
        self.num_heads = num_heads
        self.resolution = resolution
        self.scale = key_dim**-0.5
        self.widths = (key_dim * num_heads, key_dim * num_heads, dim)
        self.qkv = ConvNorm(dim, sum(self.widths))
        self.proj = nn.Sequential(nn.ReLU(inplace=True), ConvNorm(dim, dim, norm_weight=0.0))
        self.dw = ConvNorm(self.widths[0], self.widths[0], 3, groups=self.widths[0])
        self.attention_biases = nn.Parameter(torch.zeros(num_heads, resolution[0] * resolution[1]))
        self.register_buffer("attention_bias_idxs", offset_indices(resolution))

    @torch.no_grad()
    def set_resolution(self, resolution: tuple[int, int]) -> None:
        """Resize the biases for maps of another (H, W)."""
        if resolution != self.resolution:
            table = resize_biases(self.attention_biases, self.resolution, resolution)
            self.attention_biases = nn.Parameter(table, requires_grad=self.attention_biases.requires_grad)
            self.attention_bias_idxs = offset_indices(resolution).to(table.device)
            self.resolution = resolution

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the attended features, same shape."""
        batch, _, height, width = x_BCHW.shape
        q, k, v = self.qkv(x_BCHW).split(self.widths, dim=1)
        q, k, v = (t.reshape(batch, self.num_heads, -1, height * width) for t in (self.dw(q), k, v))
        where = self.attention_bias_idxs, self.resolution, self.bias_resize
        biases = biases_of_pairs(x_BCHW, self.attention_biases, *where)
        attn = (q.transpose(-2, -1) @ k) * self.scale + biases
        y_BHDN = v @ attn.softmax(dim=-1).transpose(-2, -1)
        y: Tensor = self.proj(y_BHDN.reshape(x_BCHW.shape))
        return y


def to_tokens(x_BCHW: Tensor) -> Tensor:
    """Return a map as a sequence of pixels, shape (B, H * W, C), with a gradient that norms read rightly.

    The gradient of ``flatten(2).transpose(1, 2)`` has a batch stride for which torch's batch normalisation
    gives wrong gradients on the CPU where there is one image.
    """
    return x_BCHW.permute(0, 2, 3, 1).flatten(1, 2)


@one_node
def biases_of_pairs(
    x_BCHW: Tensor, table: Tensor, indices: Tensor, resolution: tuple[int, int], bias_resize: str = "table"
) -> Tensor:
    """Return each head's bias of every pair of pixels of a map, shape (num_heads, N, N).

    Args:
        x_BCHW: The map.
        table: Biases of the offsets in a map of `resolution`, shape (num_heads, N').
        indices: The :func:`offset_indices` of `resolution`.
        resolution: (H', W') that the biases are learned for.
        bias_resize: What is resized for a map of another size: ``"table"`` or ``"matrix"``.
    """
    # Gathered on each call: a cached copy would be stale after weights are loaded or moved.
    height, width = x_BCHW.shape[2:]
    if bias_resize == "matrix":
        matrix = table.index_select(1, indices.flatten()).view(table.shape[0], *indices.shape)
        return resize_bias_matrix(matrix, height * width)
    # Do not compare an open size: that would bind a program exported for any size to this one.
    if not is_open(height, width) and (height, width) == resolution:
        return table.index_select(1, indices.flatten()).view(table.shape[0], *indices.shape)
    grid = resize_biases(table, resolution, (height, width)).view(-1, height, width)
    y, x = torch.arange(height, device=table.device), torch.arange(width, device=table.device)
    rows, columns = (y.view(height, 1, 1, 1) - y[:, None]).abs(), (x.view(width, 1, 1) - x).abs()
    return grid[:, rows, columns].reshape(-1, height * width, height * width)


def offset_indices(resolution: tuple[int, int]) -> Tensor:
    """Return the index of each pair's absolute offset, shape (N, N): ``|dy| * W + |dx|``.

    >>> offset_indices((1, 3)).tolist()
    [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    """
    height, width = resolution
    pixel = torch.arange(height * width)
    y, x = pixel // width, pixel % width
    return (y[:, None] - y).abs() * width + (x[:, None] - x).abs()


def resize_biases(table: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Return the biases (num_heads, h*w) of an `old` map's offsets for a `new` map, shape (num_heads, H*W).

    The offsets form a grid of rows and columns, which is resized bicubically, as the authors do for
    detection.
    """
    grid = table.view(1, table.shape[0], *old)
    if is_open(*new):
        return resize_bicubic(grid, new)[0].flatten(1)
    return nn.functional.interpolate(grid, size=new, mode="bicubic", align_corners=False)[0].flatten(1)


def resize_bias_matrix(matrix: Tensor, pixels: int) -> Tensor:
    """Return the biases (num_heads, N, N) of all pairs of pixels for another number of them.

    Rows and columns are numbers of pixels, whatever the map's shape: the same number changes nothing. The
    authors' detectors and segmenters are trained in this way.
    """
    new = pixels, pixels
    if is_open(*new):
        return resize_bicubic(matrix[None], new)[0]
    return nn.functional.interpolate(matrix[None], size=new, mode="bicubic", align_corners=False)[0]


class ChannelGate(SqueezeExcite):
    """timm's squeeze-and-excitation, whose point-wise convolutions are matrix products in training."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the map with every channel scaled by a factor of its image, same shape."""
        if not self.training or self.add_maxpool:
            gated: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
            return gated
        y = pointwise(x.mean((2, 3), keepdim=True), self.fc1)
        y = self.gate(pointwise(self.act(self.bn(y)), self.fc2))
        return torch.mul(x, y)


class Block(nn.Module):
    """One block: token mixer, squeeze-and-excitation or nothing, then the residual FFN."""

    def __init__(self, dim: int, mixer: nn.Module, *, has_se: bool, drop_path: float = 0.0) -> None:
        super().__init__()
        self.mixer = mixer
        self.se = ChannelGate(dim, 0.25) if has_se else nn.Identity()
        self.ffn = Residual(FFN(dim), drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, same shape."""
        y: Tensor = self.ffn(self.se(self.mixer(x)))
        return y
