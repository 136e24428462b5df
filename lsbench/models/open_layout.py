"""Exports for images of any size that do not depend on the size of the example.

torch.export works out the strides of every tensor. Where axes are joined or cut, and the tensor does not lie
in memory as its shape says, it asks whether an open size is 1. The answer for the example binds the program
to sizes like that. In an export, such tensors are copied first: one that lies as its shape says raises no
question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

#: What joins or cuts axes, multiplies by way of that, or asks how a tensor lies.
_JOINING = frozenset(
    {
        *(torch.reshape, Tensor.reshape, Tensor.view, torch.flatten, Tensor.flatten),
        *(torch.unflatten, Tensor.unflatten, Tensor.contiguous),
        *(torch.einsum, torch.bmm, Tensor.bmm),
        *(torch.matmul, Tensor.matmul, Tensor.__matmul__, F.linear),
        *(torch.conv1d, torch.conv2d, torch.conv3d),
    }
)


def laid_out() -> AbstractContextManager[object]:
    """Return a context in which a model that is being exported copies what raises questions about sizes.

    Outside of exports it does nothing, nor in strict ones, which read code instead of running it.
    """
    if torch.compiler.is_exporting() and not torch.compiler.is_dynamo_compiling():
        return LaidOut()
    return nullcontext()


class LaidOut(TorchFunctionMode):
    """Copies what raises questions about sizes, whoever calls."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch."""
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            return attend(func, *args, **kwargs)
        if func in _JOINING:
            args = tree_map_only(Tensor, _as_its_shape_says, args)
        return func(*args, **kwargs)


def attend(
    usual: Callable[..., Tensor],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """Return ``F.scaled_dot_product_attention(query, key, value, attn_mask)``, and raise no questions.

    Args:
        usual: That function, which is called if `options` change anything.
        query: Shape (..., L, D).
        key: Shape (..., S, D).
        value: Shape (..., S, D').
        attn_mask: Added to the scores, or where it is False, nothing is attended to.
        options: Further arguments.
    """
    scale = options.pop("scale", None)
    if any(options.values()):
        return usual(query, key, value, attn_mask, scale=scale, **options)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = _as_its_shape_says(query * scale) @ _as_its_shape_says(key.transpose(-2, -1))
    if attn_mask is not None and attn_mask.dtype is torch.bool:
        scores = scores.masked_fill(~attn_mask, float("-inf"))
    elif attn_mask is not None:
        scores = scores + attn_mask
    return _as_its_shape_says(scores.softmax(dim=-1)) @ _as_its_shape_says(value)


def _as_its_shape_says(x: Tensor) -> Tensor:
    from torch._prims_common import is_contiguous_or_false

    return x if is_contiguous_or_false(x) else x.clone(memory_format=torch.contiguous_format)
