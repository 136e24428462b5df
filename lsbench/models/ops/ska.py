"""SKA, the small-kernel aggregation of LSNet, as a PyTorch operator.

Every output pixel is the weighted sum of its K x K neighbourhood, zero outside the plane, with weights of its
own: ``y[b, c, h, w] = sum_k weight[b, c % G, k, h, w] * x[b, c, h + dy(k), w + dx(k)]``.

The operator ``lsbench::ska`` is opaque to compilers and exporters, and supported by all of them: it has a
shape function, gradients of any order, an autocast rule and a FLOP formula, and decomposes into plain
operators for formats that need it (ONNX). Transforms of torch.func see plain operators too. Its
implementation is its *backend*: ``cpu`` (numba) for tensors on the CPU, ``triton`` for those on a CUDA
device, ``reference`` (plain PyTorch) on any other device, and everywhere by name.

Shapes: B batch, C channels, G weight channels, M = C / G channels that share one weight, K*K taps, H, W
plane.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.3. Channels share weights interleaved (``c % G``), as in the
    authors' code. Half precision is accumulated in float32, where the authors' kernel multiplies in half
    precision.
"""

# ruff: noqa: N803 - shape suffixes name the axes
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._decomp import register_decomposition
from torch.autograd import forward_ad
from torch.utils.flop_counter import register_flop_formula

from lsbench.core.registry import suggest
from lsbench.models.open_sizes import is_in_traced_onnx_export
from lsbench.models.ops import ska_cpu
from lsbench.models.ops.eager import is_eager
from lsbench.models.ops.inductor import stays_whole
from lsbench.models.ops.ska_plain import ska_plain
from lsbench.models.ops.ska_reference import ska_reference
from lsbench.models.tracing import one_node

BACKENDS = ("reference", "cpu", "triton")
#: A meta device computes nothing: the operator only returns a shape.
DEVICE_BACKENDS = {"cpu": "cpu", "cuda": "triton", "meta": "cpu"}
_named: list[str] = []


@one_node
def ska(x_BCHW: Tensor, weight_BGKHW: Tensor, *, backend: str | None = None) -> Tensor:
    """Return the aggregation of each pixel's neighbourhood with weights of its own.

    Under autocast both are cast to its dtype.

    Args:
        x_BCHW: Floating-point features, shape (B, C, H, W).
        weight_BGKHW: Weights of the same dtype, shape (B, G, K*K, H, W) with odd K; G divides C. Channel c
            uses weight channel ``c % G``; taps run row by row from the upper left neighbour.
        backend: ``"reference"``, ``"cpu"`` or ``"triton"``; None takes that of the tensors' device.

    Returns:
        Tensor of the shape and dtype of `x_BCHW`: channels_last if that is, else contiguous.

    Raises:
        ValueError: If shapes do not fit together, K is not odd, or the backend does not exist or cannot run
            on the tensors' device.
        TypeError: If the dtypes differ or are not floating point.
    """
    if chosen_backend(backend, x_BCHW.device) == "reference":
        return _reference(*autocast(x_BCHW, weight_BGKHW))
    if is_eager(x_BCHW, weight_BGKHW):
        return run_eagerly(x_BCHW, weight_BGKHW)
    if needs_plain_form():
        checked_kernel(x_BCHW, weight_BGKHW)
        return ska_reference(*autocast(x_BCHW, weight_BGKHW))
    weight = in_layout_of(x_BCHW, weight_BGKHW) if x_BCHW.is_cuda else weight_BGKHW
    result: Tensor = _ska(x_BCHW, weight)
    return result


def in_layout_of(x_BCHW: Tensor, weight_BGKHW: Tensor) -> Tensor:
    """Return the weights pixel by pixel if the features are channels_last, else as they are.

    CUDA's group norm, which makes the weights, returns them plane by plane whatever it gets. Neighbouring
    lanes of the GPU would then read weights a plane apart, in the forward pass and again in the backward one.
    """
    if weight_BGKHW.dim() != 5 or dense(x_BCHW).is_contiguous():
        return weight_BGKHW
    flat = weight_BGKHW.flatten(1, 2).contiguous(memory_format=torch.channels_last)
    return flat.view(weight_BGKHW.shape)


@contextmanager
def ska_backend(name: str) -> Iterator[None]:
    """Run every SKA inside the block with the backend `name`.

    Raises:
        ValueError: If there is no such backend.
    """
    _check_name(name)
    _named.append(name)
    try:
        yield
    finally:
        _named.pop()


def chosen_backend(backend: str | None, device: torch.device) -> str:
    """Return the backend given by argument or by :func:`ska_backend`, else that of the device."""
    own = DEVICE_BACKENDS.get(device.type, "reference")
    name = backend or (_named[-1] if _named else own)
    _check_name(name)
    if name not in ("reference", own):
        raise ValueError(f"ska backend '{name}' cannot run on {device.type}; use '{own}' there")
    return name


def needs_plain_form() -> bool:
    """Return whether who runs the model does not know the operator.

    These are torch.func's transforms, dual numbers and ONNX's exporter without dynamo.
    """
    is_transformed = torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
    return is_transformed or is_in_traced_onnx_export()


def _check_name(name: str) -> None:
    if name not in BACKENDS:
        hint = suggest(name, BACKENDS) or f"; there are: {', '.join(BACKENDS)}"
        raise ValueError(f"unknown ska backend '{name}'{hint}")


def _reference(x: Tensor, weight: Tensor) -> Tensor:
    checked_kernel(x, weight)
    format_ = torch.contiguous_format if dense(x).is_contiguous() else torch.channels_last
    return ska_reference(x, weight).contiguous(memory_format=format_)


# --- the operator, on the devices that have compiled loops -------------------------------------------------


@torch.library.custom_op("lsbench::ska", mutates_args=(), device_types="cpu")
def _ska(x: Tensor, weight: Tensor) -> Tensor:
    kernel = checked_kernel(x, weight)
    return ska_cpu.forward(dense(x), _dense_weight(weight), kernel)


@_ska.register_kernel("cuda")
def _(x: Tensor, weight: Tensor) -> Tensor:
    from lsbench.models.ops import ska_triton

    kernel = checked_kernel(x, weight)
    return ska_triton.forward(dense(x), _dense_weight(weight), kernel)


@_ska.register_fake
def _(x: Tensor, weight: Tensor) -> Tensor:
    stays_whole(torch.ops.lsbench.ska.default)
    checked_kernel(x, weight)
    return torch.empty_like(dense(x))


@torch.library.custom_op("lsbench::ska_backward", mutates_args=(), device_types="cpu")
def _ska_backward(grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return _both_gradients(ska_cpu.backward, grad, x, weight)


@_ska_backward.register_kernel("cuda")
def _(grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    from lsbench.models.ops import ska_triton

    return _both_gradients(ska_triton.backward, grad, x, weight)


@_ska_backward.register_fake
def _(grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(dense(x)), torch.empty_like(_dense_weight(weight))


def _both_gradients(
    backward: Callable[[Tensor, Tensor, Tensor, int], tuple[Tensor, Tensor]],
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
) -> tuple[Tensor, Tensor]:
    x, weight = dense(x), _dense_weight(weight)
    format_ = torch.contiguous_format if x.is_contiguous() else torch.channels_last
    grad = grad.to(x.dtype).contiguous(memory_format=format_)
    grad_x, grad_weight = backward(grad, x, weight, checked_kernel(x, weight))
    if grad_weight.stride() != weight.stride():
        grad_weight = torch.empty_like(weight).copy_(grad_weight)
    return grad_x, grad_weight


def _save_inputs(ctx: Any, inputs: tuple[Tensor, ...], output: Any) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
    grads: tuple[Tensor, Tensor] = _ska_backward(grad, *ctx.saved_tensors)
    return grads


def _differentiate_twice(ctx: Any, by_x: Tensor, by_weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of both gradients: SKA is linear in the features and in the weights."""
    grad, x, weight = ctx.saved_tensors
    return _ska(by_x, weight) + _ska(x, by_weight), *_ska_backward(grad, by_x, by_weight)


_ska.register_autograd(_differentiate, setup_context=_save_inputs)
_ska_backward.register_autograd(_differentiate_twice, setup_context=_save_inputs)


def run_eagerly(x: Tensor, weight: Tensor) -> Tensor:
    """Return what the operator returns, on the CPU and without the dispatcher."""
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        result: Tensor = _EagerSka.apply(x, weight)
        return result
    return ska_cpu.forward(dense(x), _dense_weight(weight), checked_kernel(x, weight))


class _EagerSka(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        kernel = checked_kernel(x, weight)
        return ska_cpu.forward(dense(x), _dense_weight(weight), kernel)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        if torch.is_grad_enabled() or not is_eager(grad, x, weight):
            return _differentiate(ctx, grad)
        return _both_gradients(ska_cpu.backward, grad, x, weight)


@register_flop_formula(torch.ops.lsbench.ska)
def _count_flops(x_shape: Any, weight_shape: Any, *_: Any, **__: Any) -> int:
    """Return 2 FLOPs per product, like torch's counter."""
    return 2 * int(math.prod(x_shape)) * int(weight_shape[2])


@register_flop_formula(torch.ops.lsbench.ska_backward)
def _count_backward_flops(grad_shape: Any, x_shape: Any, weight_shape: Any, *_: Any, **__: Any) -> int:
    return 2 * _count_flops(x_shape, weight_shape)


register_decomposition(torch.ops.lsbench.ska.default)(ska_plain)

_library = torch.library.Library("lsbench", "FRAGMENT")  # type: ignore[no-untyped-call]


def _under_autocast(key: str) -> Callable[[Tensor, Tensor], Tensor]:
    def run(x: Tensor, weight: Tensor) -> Tensor:
        with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, key))):
            result: Tensor = torch.ops.lsbench.ska(*_cast(x, weight))
        return result

    return run


def autocast(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Cast both as autocast does, if it is on."""
    return _cast(x, weight) if torch.is_autocast_enabled(x.device.type) else (x, weight)


def _cast(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Cast both to autocast's dtype; autocast leaves float64 unchanged."""
    dtype = torch.get_autocast_dtype(x.device.type)
    return tuple(t if t.dtype == torch.float64 else t.to(dtype) for t in (x, weight))  # type: ignore[return-value]


for _key in ("AutocastCPU", "AutocastCUDA"):
    _library.impl("ska", _under_autocast(_key), _key)  # type: ignore[no-untyped-call]


def dense(x: Tensor) -> Tensor:
    """Return features in one of the two memory formats that the loops read."""
    if x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last):
        return x
    return x.contiguous()


def _dense_weight(weight: Tensor) -> Tensor:
    """Return weights plane by plane, or with all weights of a pixel together."""
    if weight.is_contiguous() or weight.permute(0, 3, 4, 1, 2).is_contiguous():
        return weight
    return weight.contiguous()


def checked_kernel(x: Tensor, weight: Tensor) -> int:
    """Return K, or raise if the two tensors do not fit together."""
    x_shape, weight_shape = x.shape, weight.shape
    if len(x_shape) != 4 or len(weight_shape) != 5:
        raise ValueError(f"ska expects x (B, C, H, W) and weight (B, G, K*K, H, W), {_found(x, weight)}")
    batch, channels, height, width = x_shape
    w_batch, groups, taps, w_height, w_width = weight_shape
    if batch != w_batch or height != w_height or width != w_width:
        raise ValueError(f"ska: batch, height and width must agree, {_found(x, weight)}")
    if groups == 0 or channels % groups:
        raise ValueError(f"ska: {groups} weight channels do not divide {channels} channels")
    if x.dtype != weight.dtype or not x.dtype.is_floating_point:
        raise TypeError(f"ska expects one floating dtype, got x {x.dtype} and weight {weight.dtype}")
    if x.device != weight.device:
        raise ValueError(f"ska: both tensors must be on one device, got {x.device} and {weight.device}")
    kernel = math.isqrt(taps)
    if kernel % 2 == 0 or kernel * kernel != taps:
        raise ValueError(f"ska: {taps} taps are not K*K with odd K")
    return kernel


def _found(x: Tensor, weight: Tensor) -> str:
    return f"got x {tuple(x.shape)} and weight {tuple(weight.shape)}"
