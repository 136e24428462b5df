"""Centred kernel alignment: similarity of the layers of two models on the same images.

Linear CKA in mini-batches: the unbiased HSIC of each pair of layers is averaged over the batches before the
quotient is taken. Between two models, or within one. 1 means equal up to rotation and scale, 0 unrelated; the
unbiased estimate can fall below 0.

Source:
    Nguyen, Raghu & Kornblith, ICLR 2021, arXiv:2010.15327, section 3, equations 2-4; Song et al., JMLR 2012,
    equation 5, for the unbiased HSIC; Kornblith et al., ICML 2019, arXiv:1905.00414, for CKA.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lsbench.analyses import Analysis, Findings, ModelPanel, NotApplicableError, Subject, draws_one, finding
from lsbench.analyses._panels import COLOURS, SMALLEST, fitted, side_by_side, side_of

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor, nn

LEAST_IMAGES = 4
"""The unbiased HSIC divides by n - 3."""


def analyse(subject: Subject) -> Findings:
    """Return the alignment of each pair of layers, shape (layers, other layers), and means over pairs."""
    import torch

    from lsbench.models.observation import layers_of

    if min(len(subject.images), subject.batch_size) < LEAST_IMAGES:
        raise NotApplicableError(f"cka: expected batches of at least {LEAST_IMAGES} images, found fewer")
    other = subject.other
    first, second = layers_of(subject.model), layers_of(other or subject.model)
    cross = torch.zeros(len(first), len(second), dtype=torch.float64)
    own, others = (torch.zeros(len(layers), dtype=torch.float64) for layers in (first, second))
    for images in subject.batches(LEAST_IMAGES):
        grams = _grams(subject.model, first, images)
        of_other = grams if other is None else _grams(other, second, images)
        cross += hsic(grams[:, None], of_other[None])
        own += hsic(grams, grams)
        others += hsic(of_other, of_other)
    matrix = (cross / (own[:, None] * others[None]).clamp_min(1e-300).sqrt()).numpy()
    same_depth = np.diagonal(matrix)
    is_pair = np.ones(matrix.shape, dtype=bool) if other is not None else ~np.eye(len(matrix), dtype=bool)
    numbers = {"cka_mean": float(matrix[is_pair].mean())} if is_pair.any() else {}
    if other is not None and len(first) == len(second):
        numbers["cka_same_depth"] = float(same_depth.mean())
    names = np.array(list(first)), np.array(list(second))
    title = np.array(subject.other_title or subject.title)
    arrays = {"cka": matrix, "layers": names[0], "other_layers": names[1], "other": title}
    return Findings(arrays, numbers)


def _grams(model: nn.Module, layers: Mapping[str, nn.Module], images: Tensor) -> Tensor:
    """Return the inner products of the images' features in each layer, float64, shape (layers, n, n)."""
    import torch

    from lsbench.models.observation import observed

    with observed(layers) as seen, torch.no_grad():
        model(images)
    flat = (seen[name].returned.flatten(1).double() for name in layers)
    return torch.stack([(x @ x.T).cpu() for x in flat])


def hsic(gram: Tensor, other: Tensor) -> Tensor:
    """Return the unbiased Hilbert-Schmidt independence criterion of Gram matrices, shape (...).

    Args:
        gram: Shape (..., n, n), n at least 4.
        other: Gram matrices of the same images, in a shape that broadcasts with `gram`.
    """
    import torch

    n = gram.shape[-1]
    off = 1 - torch.eye(n, dtype=gram.dtype, device=gram.device)
    first, second = gram * off, other * off
    trace = (first * second.transpose(-1, -2)).sum(dim=(-1, -2))
    sums = first.sum(dim=(-1, -2)) * second.sum(dim=(-1, -2)) / ((n - 1) * (n - 2))
    rows = (first.sum(dim=-2) * second.sum(dim=-1)).sum(dim=-1) * 2 / (n - 2)
    return (trace + sums - rows) / (n * (n - 3))


def compose(panels: Sequence[ModelPanel], figure: Figure) -> None:
    """Draw the matrices side by side on one scale, with the first layers at the bottom left."""
    most = 2
    side = side_of(min(len(panels), 2 * most), most)
    every = side_by_side(figure, panels, most=most, labels=2.5)
    for axes, panel in zip(every, panels, strict=True):
        image = axes.imshow(panel.arrays["cka"], cmap=COLOURS, vmin=0, vmax=1, origin="lower")
        axes.set_xlabel(fitted(f"layers of {panel.arrays['other']}", side)[0])
        axes.set_ylabel(fitted(f"layers of {panel.title}", side)[0])
        _name_layers(axes.xaxis, panel.arrays["other_layers"], side, rotation=90)
        _name_layers(axes.yaxis, panel.arrays["layers"], side)
    extend = "min" if any(panel.arrays["cka"].min() < 0 for panel in panels) else "neither"
    figure.colorbar(image, ax=every, label="linear CKA", extend=extend)


def _name_layers(axis: Axis, names: NDArray[np.str_], room: float, *, rotation: int = 0) -> None:
    """Name as many layers, evenly, as have room."""
    step = math.ceil(len(names) * 1.5 * SMALLEST / (room * 72))
    shown = range(0, len(names), step)
    axis.set_ticks(shown, names[shown], fontsize=SMALLEST, rotation=rotation)


QUANTITIES = (
    finding(
        "cka_mean",
        "ratio",
        "CKA, all pairs of layers",
        digits=3,
        short_title="CKA",
    ),
    finding(
        "cka_same_depth", "ratio", "CKA, layers of the same depth", digits=3, short_title="CKA, same depth"
    ),
)

ANALYSIS = Analysis(
    analyse, draws_one(compose), QUANTITIES, is_of_two=True, is_of_batches=True, compose=compose
)
