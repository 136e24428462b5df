"""Operations on maps whose size is a variable of the program that is being traced.

A program that is exported for images of any size may neither branch on a size nor use an operator that wants
a number: what depends on the size is computed from tensors whose shape it is. Each of these functions has a
faster form for a known size, and equals it up to rounding.

Shapes: B batch, C channels, H, W a map.
"""

# ruff: noqa: N803 - shape suffixes name the axes
from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.jit import is_tracing  # type: ignore[attr-defined]
from torch.nn import functional as F

#: The free parameter of PyTorch's bicubic interpolation.
CUBIC = -0.75


def is_open(*sizes: object) -> bool:
    """Return whether one of `sizes` is a variable of a program that is being traced.

    torch.export and compilers mark such sizes. Strict export and ONNX's exporter without dynamo do not:
    there, all are.
    """
    is_marked = any(isinstance(size, torch.SymInt) for size in sizes)
    return is_marked or _exports_strictly() or is_in_traced_onnx_export()


def _exports_strictly() -> bool:
    return torch.compiler.is_dynamo_compiling() and torch.compiler.is_exporting()


def is_in_traced_onnx_export() -> bool:
    """Return whether ONNX's exporter without dynamo runs the model; it knows no operators of ours."""
    traces: bool = is_tracing()  # type: ignore[no-untyped-call]
    return traces and torch.onnx.is_in_onnx_export()


def check_traced_maps(x_BCHW: Tensor, y_BCHW: Tensor) -> None:
    """Refuse to be exported for any size by an example that is too small for the exporter.

    torch.export takes a side of one pixel for a constant, unless it is told to leave such sizes open, which
    torch.onnx.export does: the program would be for small images alone, and its reader would find out.

    Args:
        x_BCHW: The input of some layers.
        y_BCHW: Their output.

    Raises:
        ValueError: If the program is for any size, and a side of the output is one pixel for ever.
    """
    if not torch.compiler.is_exporting():
        return
    from torch.fx.experimental import _config
    from torch.fx.experimental.symbolic_shapes import has_static_value

    for before, after in zip(x_BCHW.shape[2:], y_BCHW.shape[2:], strict=True):
        if has_static_value(before) or (_config.backed_size_oblivious and not has_static_value(after)):
            continue
        if after == 1:
            raise ValueError(
                "export for any size: expected an example whose maps all have more than one pixel along "
                f"each side, found one of {tuple(map(int, y_BCHW.shape[2:]))}; take larger images"
            )


def resize_bicubic(x_BCHW: Tensor, size: tuple[int, int]) -> Tensor:
    """Return ``F.interpolate(x_BCHW, size, mode="bicubic")``; only the new size may be open."""
    padded = F.pad(x_BCHW, (2, 2, 2, 2), mode="replicate")
    rows, columns = (
        _cubic_weights(old, new, x_BCHW) for old, new in zip(x_BCHW.shape[2:], size, strict=True)
    )
    return multiply_rows(rows, F.linear(padded, columns))


def _cubic_weights(old: int, new: int, like: Tensor) -> Tensor:
    """Return the weight of each of `old` pixels, two more before and after, in each of `new` pixels."""
    pixels, count = _pixels(new, like)
    centre = (pixels + 0.5) * old / count - 0.5
    distance = (centre[:, None] - torch.arange(-2, old + 2, device=like.device).to(like.dtype)).abs()
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance * distance + 1
    far = ((distance - 5) * distance + 8) * distance * CUBIC - 4 * CUBIC
    zero = torch.zeros_like(distance)
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, zero))


def average_by_cells(x_BCHW: Tensor, side: int) -> Tensor:
    """Return ``F.adaptive_avg_pool2d(x_BCHW, side)``."""
    rows, columns = (_cells(size, side, x_BCHW) for size in x_BCHW.shape[2:])
    return multiply_rows(rows, F.linear(x_BCHW, columns))


def _cells(size: int, count: int, like: Tensor) -> Tensor:
    """Return the share of each of `size` pixels in each of `count` cells, shape (count, size)."""
    pixel, cell = torch.arange(size, device=like.device), torch.arange(count, device=like.device)[:, None]
    # floor(cell * size / count) <= pixel < ceil((cell + 1) * size / count), without a division.
    inside = ((pixel + 1) * count > cell * size) & (pixel * count < (cell + 1) * size)
    shares = inside.to(like.dtype)
    return shares / shares.sum(dim=1, keepdim=True)


def roll_back(x_BCHW: Tensor, shifts: tuple[int, int]) -> Tensor:
    """Return ``torch.roll(x_BCHW, (-rows, -columns), (2, 3))`` for shifts of at least 0."""
    rolled = x_BCHW
    for axis, shift in zip((2, 3), shifts, strict=True):
        size = x_BCHW.shape[axis]
        beyond = torch.arange(size, device=x_BCHW.device) + (shift - size)
        rolled = rolled.index_select(axis, torch.where(beyond < 0, beyond + size, beyond))
    return rolled


def transform_real(x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return real and imaginary part of ``torch.fft.rfft2(x_BCHW, norm="ortho")``."""
    height, width = x_BCHW.shape[2:]
    cos_x, sin_x = _waves(width, width // 2 + 1, x_BCHW)
    cos_y, sin_y = _waves(height, height, x_BCHW)
    real, imag = F.linear(x_BCHW, cos_x.transpose(0, 1)), -F.linear(x_BCHW, sin_x.transpose(0, 1))
    return multiply_rows(cos_y, real) + multiply_rows(sin_y, imag), multiply_rows(
        cos_y, imag
    ) - multiply_rows(sin_y, real)


def transform_back(real: Tensor, imag: Tensor, size: tuple[int, int]) -> Tensor:
    """Return ``torch.fft.irfft2(torch.complex(real, imag), s=size, norm="ortho")``."""
    height, width = size
    cos_x, sin_x = _waves(width, width // 2 + 1, real)
    cos_y, sin_y = _waves(height, height, real)
    by_row = multiply_rows(cos_y, real) - multiply_rows(sin_y, imag)
    by_row_imag = multiply_rows(cos_y, imag) + multiply_rows(sin_y, real)
    # All frequencies but zero and the highest of an even width stand for two.
    frequency = torch.arange(width // 2 + 1, device=real.device)
    single = (frequency == 0).to(real.dtype) + (frequency * 2 == width).to(real.dtype)
    times = 2 - single
    return F.linear(by_row * times, cos_x) - F.linear(by_row_imag * times, sin_x)


def _waves(size: int, frequencies: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of `size` pixels, each divided by the root of `size`.

    Returns:
        Two tensors of shape (size, frequencies).
    """
    pixels, count = _pixels(size, like)
    turns = pixels[:, None] * torch.arange(frequencies, device=like.device).to(like.dtype)
    angle = (turns - (turns / count).floor() * count) * (2 * math.pi) / count
    scale = count.rsqrt()
    return angle.cos() * scale, angle.sin() * scale


def _pixels(size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the numbers of `size` pixels, and `size` itself as a tensor."""
    pixels = torch.arange(size, device=like.device).to(like.dtype)
    return pixels, pixels[-1] + 1


def multiply_rows(matrix_hH: Tensor, x: Tensor) -> Tensor:
    """Return ``matrix_hH @ x`` for maps (..., H, W), without a copy of the matrix for each map."""
    return F.linear(x.transpose(-2, -1), matrix_hH).transpose(-2, -1)
