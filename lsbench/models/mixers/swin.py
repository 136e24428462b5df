"""(S)W-SA: self-attention inside windows, half of the heads in shifted ones.

Source:
    Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, ICCV 2021, arXiv:2103.14030,
        sections 3.1-3.2, on timm's WindowAttention; a row of
    LSNet's Table 5, whose settings are not stated. The window is the Swin paper's (7). LSNet-T costs
        0.3669 G with it at 224 px; LSNet's table has 0.36 G.

Differs from the authors' code:
    Swin alternates plain and shifted windows from block to block. A token mixer does not know which block it
    is in, so here half of the heads use plain windows and half shifted ones, at the cost of one attention
    (one after the other would cost twice as much: 0.44 G). Windows are at most 7x7: 8 pixels are 2
    windows of 4, a smaller map is one window, and the biases of a smaller window are the same table's. A head
    has 32 channels as in Swin where two heads of that fit (LSNet-T, S and B), else fewer. Layer
    normalisation and residual around it are Swin's; its MLP is left to the block.
"""

# ruff: noqa: N803 - shape suffixes name the axes
from __future__ import annotations

from math import gcd

from timm.layers.norm import LayerNorm2d
from timm.models.swin_transformer import WindowAttention
from torch import Tensor, nn

from lsbench.models.checks import check_positive
from lsbench.models.tracing import one_node
from lsbench.models.windows import sides, window_grid, window_indices


class Swin(nn.Module):
    """``x + W-SA(norm(x)) + SW-SA(norm(x))``, each with half of the heads.

    Args:
        dim: Channels C of input and output, even.
        window_size: Most pixels along the side of a window.
        head_dim: Most channels of a head; its common divisor with C/2 is taken.

    Raises:
        ValueError: If C is odd or an option is not a positive whole number.
    """

    def __init__(self, dim: int, *, window_size: int = 7, head_dim: int = 32) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError(f"half of the heads use shifted windows: {dim} channels cannot be halved")
        width = gcd(dim // 2, check_positive("head_dim", head_dim))
        self.window_size = check_positive("window_size", window_size)
        self.norm = LayerNorm2d(dim)
        self.plain = _Heads(dim, dim // 2 // width, head_dim=width, window_size=window_size)
        self.shifted = _Heads(dim, dim // 2 // width, head_dim=width, window_size=window_size)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return input plus attended features, same shape."""
        return x_BCHW + attend_in_windows(self.norm(x_BCHW), self.plain, self.shifted, self.window_size)


class _Heads(WindowAttention):
    """Some heads of an attention over C channels, in windows of any size up to that of the bias table."""

    relative_position_index: Tensor

    def attend(self, windows_NChw: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the heads' share of the output, same shape as `windows_NChw`.

        Args:
            windows_NChw: Windows, image by image.
            mask: Added to the scores of an image's windows, shape (windows, h * w, h * w).
        """
        height, width = sides(windows_NChw)
        pixels = height * width
        tokens = windows_NChw.flatten(2).transpose(1, 2)
        qkv = self.qkv(tokens).reshape(tokens.shape[0], pixels, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        bias = self._bias((height, width))
        if mask is not None:
            # The windows of an image become heads, so that one mask serves the whole batch.
            bias = (bias + mask[:, None]).flatten(0, 1)
            qkv = qkv.reshape(3, -1, *bias.shape[:2], qkv.shape[4])
        q, k, v = qkv
        y = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        y = y.reshape(-1, self.num_heads, pixels, y.shape[3]).transpose(1, 2)
        out: Tensor = self.proj(y.flatten(2))
        return out.transpose(1, 2).reshape(windows_NChw.shape)

    def _bias(self, size: tuple[int, int]) -> Tensor:
        """Return the bias of every pair of pixels, shape (heads, h * w, h * w)."""
        chosen = window_indices(self.relative_position_index, size)
        bias: Tensor = self.relative_position_bias_table[chosen]
        return bias.permute(2, 0, 1)


@one_node
def attend_in_windows(x_BCHW: Tensor, plain: _Heads, shifted: _Heads, window_size: int) -> Tensor:
    """Return the sum of attention in windows of at most `window_size` pixels and in shifted ones."""
    grid = window_grid(x_BCHW, window_size)
    padded = grid.pad(x_BCHW)
    y = grid.join(plain.attend(grid.cut(padded)))
    mask = grid.border_mask(padded.device) if grid.is_open or any(grid.shift) else None
    y = y + grid.roll_on(grid.join(shifted.attend(grid.cut(grid.roll_back(padded)), mask)))
    return grid.unpad(y, sides(x_BCHW))


MIXER = Swin
