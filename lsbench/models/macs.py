"""Count a model's multiply-accumulates, and list every operator that could not be counted.

One MAC is one FLOP here, as in the paper's tables. The convention is fvcore's: convolutions, linear layers
and matrix products by their products; batch normalisation in evaluation 2 per element, group normalisation 5,
pooling 1 per input element; SKA K*K per output element; a Fourier transform of N real numbers 5/4 N log2 N,
half the additions and multiplications of the usual count 5/2 N log2 N. Element-wise operators are not counted
but listed, and so is RoIAlign: the number of points that it samples depends on the regions. Convolutions and
batch normalisations are counted separately: fuse the model to count as the paper does. fvcore ignores
operators that it considers free, without listing them: ReLU, reshaping, indexing, dropout.

Importing this module registers SKA with fvcore, so that its own ``FlopCountAnalysis`` counts it too.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from fvcore.nn.flop_count import _DEFAULT_SUPPORTED_OPS
from torch import nn

from lsbench.models.fusion import fuse


@dataclass(frozen=True)
class MacCount:
    """The MACs of one image.

    Attributes:
        total: Multiply-accumulates.
        by_operator: The same, per kind of operator; SKA is ``"ska"``.
        uncounted: Operators missing from the total -> number of calls.
        by_module: The total per module by its dotted name, everything inside included; ``""`` is the model.
    """

    total: int
    by_operator: dict[str, int]
    uncounted: dict[str, int]
    by_module: dict[str, int]


def count_macs(model: nn.Module, input_size: tuple[int, int, int]) -> MacCount:
    """Return the MACs of one image in evaluation mode; the model is not changed.

    Args:
        model: Any model of one image batch.
        input_size: (channels, height, width) of the image.
    """
    reference = next(model.parameters(), torch.zeros(()))
    image = torch.zeros(1, *input_size, device=reference.device, dtype=reference.dtype)
    with _evaluating(model), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # from torch.jit, which fvcore traces with: about torch.jit itself, not the model
        analysis = FlopCountAnalysis(model, image).set_op_handle(**_HANDLES)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        counted = {name: int(count) for name, count in analysis.by_operator().items()}
        uncounted = {
            name.removeprefix("aten::").removeprefix("torchvision::"): int(calls)
            for name, calls in analysis.unsupported_ops().items()
        }
        by_module = {name: int(count) for name, count in analysis.by_module().items()}
    return MacCount(sum(counted.values()), counted, uncounted, by_module)


def count_paper_macs(model: nn.Module, input_size: tuple[int, int, int]) -> MacCount:
    """Return the MACs of one image as LSNet's authors count them; `model` is not changed.

    They fuse each batch normalisation into the convolution before it and replace SKA by a depth-wise
    convolution of the same kernel, which has the same K*K products per output element.

    Args:
        model: Any model of one image batch.
        input_size: (channels, height, width) of the image.
    """
    return count_macs(fuse(model), input_size)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Set every module to evaluation mode, and restore its own mode afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _shape(value: Any) -> list[int]:
    sizes: list[int] = value.type().sizes()
    return sizes


def _count_ska(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Return K*K*B*C*H*W: every output element sums K*K products."""
    return Counter({"ska": math.prod(_shape(outputs[0])) * _shape(inputs[1])[2]})


def _count_attention(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Return N*M*(D+E) per head: both products of attention on q (N, D), k (M, D) and v (M, E)."""
    query, key, value = (_shape(tensor) for tensor in inputs[:3])
    products = math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])
    return Counter({"scaled_dot_product_attention": products})


def _count_transform(real: list[int]) -> int:
    """Return 5/4 N log2 N per plane of N real numbers; `real` is the shape of the real tensor."""
    points = math.prod(real[-2:])
    return round(math.prod(real[:-2]) * 1.25 * points * math.log2(points))


def _count_rfft2(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    return Counter({"fft_rfft2": _count_transform(_shape(inputs[0]))})


def _count_irfft2(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    return Counter({"fft_irfft2": _count_transform(_shape(outputs[0]))})


_HANDLES = {
    "lsbench::ska": _count_ska,
    "aten::scaled_dot_product_attention": _count_attention,
    "aten::fft_rfft2": _count_rfft2,
    "aten::fft_irfft2": _count_irfft2,
}
_DEFAULT_SUPPORTED_OPS["lsbench::ska"] = _count_ska
