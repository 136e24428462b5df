"""CGA: cascaded group attention; each head also gets the output of the one before.

Every head attends with its own part of the channels, inside windows; its output is added to the next head's
input.

Source:
    EfficientViT: Memory Efficient Vision Transformer with Cascaded Group Attention, CVPR 2023,
        arXiv:2305.07027, section 3.2, on timm's CascadedGroupAttention; a row of
    LSNet's Table 5, whose settings are not stated. Heads, key width, kernels and window are those of
        EfficientViT-M4, which is of LSNet-T's size. LSNet-T costs 0.3233 G with it at 224 px;
        LSNet's table has 0.32 G.

Differs from the authors' code:
    Windows are at most 7x7: 8 pixels are 2 windows of 4 (theirs are padded to 14), a smaller map is one
    window, and the biases of a smaller window are the same table's. The last normalisation starts at 1
    instead of 0, as in the LS convolution. The residual around it is theirs.
"""

# ruff: noqa: N803 - shape suffixes name the axes
from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import torch
from timm.models.efficientvit_msra import CascadedGroupAttention
from torch import Tensor, nn

from lsbench.models.blocks import to_tokens
from lsbench.models.checks import check_odd_kernel, check_positive
from lsbench.models.tracing import one_node
from lsbench.models.windows import sides, window_grid, window_indices


class CGA(nn.Module):
    """``x + CGA(x)``, window by window.

    Args:
        dim: Channels C of input and output.
        kernels: Odd size of the depth-wise convolution on the queries of each head; as many as heads.
        key_dim: Width of one head's queries and keys; its values are as wide as its part of C.
        window_size: Most pixels along the side of a window.

    Raises:
        ValueError: If the heads do not divide C, a kernel is even or a number is not positive.
    """

    def __init__(
        self, dim: int, *, kernels: Sequence[int] = (7, 5, 3, 3), key_dim: int = 16, window_size: int = 7
    ) -> None:
        super().__init__()
        num_heads = len(kernels)
        if not num_heads or dim % num_heads:
            raise ValueError(f"{num_heads} heads (kernels) do not divide the {dim} channels of a stage")
        self.window_size = check_positive("window_size", window_size)
        self.attn = _WindowCGA(
            dim,
            check_positive("key_dim", key_dim),
            num_heads,
            # Exact, since timm multiplies it by key_dim again; its models pass fractions too.
            attn_ratio=Fraction(dim // num_heads, key_dim),  # type: ignore[arg-type, unused-ignore]
            resolution=window_size,
            kernels=tuple(check_odd_kernel("kernels", kernel) for kernel in kernels),
        )
        nn.init.ones_(self.attn.get_parameter("proj.1.bn.weight"))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return input plus attended features, same shape."""
        return x_BCHW + attend_in_windows(x_BCHW, self.attn, self.window_size)


@one_node
def attend_in_windows(x_BCHW: Tensor, attn: nn.Module, window_size: int) -> Tensor:
    """Return the attention in windows of at most `window_size` pixels, same shape."""
    grid = window_grid(x_BCHW, window_size)
    y = grid.join(attn(grid.cut(grid.pad(x_BCHW))))
    return grid.unpad(y, sides(x_BCHW))


class _WindowCGA(CascadedGroupAttention):
    """Cascaded group attention over windows of any size up to the one of the biases."""

    attention_bias_idxs: Tensor

    def forward(self, x_NChw: Tensor) -> Tensor:
        # Looked up on each call: timm's cached copy would be stale after weights are loaded.
        bias = self.attention_biases[:, window_indices(self.attention_bias_idxs, sides(x_NChw))]
        parts = x_NChw.chunk(self.num_heads, dim=1)
        found = [self._attend(0, parts[0], bias[0])]
        for head in range(1, self.num_heads):
            found.append(self._attend(head, parts[head] + found[-1], bias[head]))
        y: Tensor = self.proj(torch.cat(found, dim=1))
        return y

    def _attend(self, head: int, x_NChw: Tensor, bias: Tensor) -> Tensor:
        """Return one head's output for its part of the channels, same shape."""
        widths = (self.key_dim, self.key_dim, self.val_dim)
        q, k, v = self.qkvs[head](x_NChw).split(widths, dim=1)
        q, k, v = to_tokens(self.dws[head](q)), k.flatten(2), v.flatten(2)
        attn = (q * self.scale) @ k + bias
        found: Tensor = v @ attn.softmax(dim=-1).transpose(1, 2)
        return found.view(x_NChw.shape)


MIXER = CGA
