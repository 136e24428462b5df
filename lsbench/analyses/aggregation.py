"""Aggregation weights: the positions that the last token mixer of stage 3 draws its features from.

Each position weighs its neighbours; the absolute weights that a position receives from all others, over all
groups, are summed and drawn over the image. Entropy is that of these sums as a distribution over positions,
divided by its maximum (1: all positions count alike). Overlap is the share of the sums that falls on the
object, after nearest-neighbour enlargement to the image; beside it stands the object's share of the image,
which an even distribution would give.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, supplement, Figure 2. The definitions of the numbers are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lsbench.analyses import Analysis, Findings, ModelPanel, NotApplicableError, Subject, draws_one, finding
from lsbench.analyses._maps import entropy
from lsbench.analyses._panels import (
    COLOURS,
    FONT,
    choose_shown,
    common_scale,
    grid,
    relative,
    set_row_label,
    show_same_images,
    shown_of,
    side_of,
    without_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from lsbench.analyses import Arrays

STAGE = 3


def analyse(subject: Subject) -> Findings:
    """Return the accumulated weights of each image, shape (N, h, w), and their statistics."""
    import torch

    from lsbench.models.observation import observed

    name, module, groups = _source(subject.model)
    parts = []
    with observed({name: module}) as seen, torch.no_grad():
        for images in subject.batches():
            subject.model(images)
            parts.append(accumulate(seen[name].returned, groups))
    weights = torch.cat(parts).double().cpu().numpy()
    shown = choose_shown(len(subject.pictures))
    arrays = {"weights": weights, "pictures": subject.pictures[shown], "shown": shown}
    found = {"aggregation_entropy": entropy(weights)}
    if subject.masks is not None:
        found["aggregation_overlap"] = overlap(weights, subject.masks)
        found["object_area"] = subject.masks.mean(axis=(1, 2))
        arrays["masks"] = subject.masks
    return Findings(arrays, per_image=found)


def _source(model: nn.Module) -> tuple[str, nn.Module, int]:
    """Return name and module of the layer that predicts the weights, and the number of weight groups."""
    from torch import nn

    from lsbench.models.observation import mixers_of
    from lsbench.models.perception import LargeSmallConv

    mixers = {name: mixer for name, (stage, mixer) in mixers_of(model).items() if stage == STAGE}
    if not mixers:
        raise NotApplicableError("aggregation: the model has no token mixer in stage 3; take an LSNet")
    name, mixer = list(mixers.items())[-1]
    if isinstance(mixer, LargeSmallConv):
        return f"{name}.lkp", mixer.lkp, mixer.groups
    predictor = getattr(mixer, "module", None)
    span, groups = getattr(predictor, "span", None), getattr(predictor, "groups", None)
    if isinstance(span, nn.Module) and isinstance(groups, int):
        return f"{name}.module.span", span, groups
    raise NotApplicableError(
        f"aggregation: {type(mixer).__name__} predicts no weights for neighbours; use ls_conv, "
        "without_lkp or involution"
    )


def accumulate(weights: Tensor, groups: int) -> Tensor:
    """Return for each position the sum of the absolute weights that all positions give it.

    Args:
        weights: Shape (B, groups * K*K, H, W): the K*K weights of each position's neighbours, row by row.
        groups: Number of channel groups with their own weights.

    Returns:
        Shape (B, H, W); weights of positions outside the map are dropped.
    """
    from torch.nn import functional as F

    batch, _, height, width = weights.shape
    by_tap = weights.abs().reshape(batch, groups, -1, height * width).sum(dim=1)
    kernel = math.isqrt(by_tap.shape[1])
    return F.fold(by_tap, (height, width), kernel, padding=kernel // 2)[:, 0]


def overlap(weights: NDArray[np.float64], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each image's weights (N, h, w) that lies on its object (N, H, W), shape (N,)."""
    rows = np.arange(masks.shape[1]) * weights.shape[1] // masks.shape[1]
    cols = np.arange(masks.shape[2]) * weights.shape[2] // masks.shape[2]
    large = weights[:, rows][:, :, cols]
    total = np.maximum(large.sum(axis=(1, 2)), 1e-300)
    found: NDArray[np.float64] = (large * masks).sum(axis=(1, 2)) / total
    return found


def compose(panels: Sequence[ModelPanel], figure: Figure) -> None:
    """Draw some images, and below them each model's weights, relative to their mean, on one scale."""
    maps = [relative(shown_of(panel.arrays, "weights")) for panel in panels]
    rows: list[tuple[str, ModelPanel, NDArray[np.float64] | None]] = []
    for panel, shown in zip(panels, maps, strict=True):
        rows += [] if rows and show_same_images(panels) else [("image", panel, None)]
        rows.append((panel.label, panel, shown))
    columns, most = max(map(len, maps)), 4
    every = grid(figure, len(rows), columns, most=most, labels=0.3, below=1.5)
    scale = common_scale(maps)
    for of_row, (label, panel, own) in zip(every, rows, strict=True):
        for axes, index in zip(of_row, range(len(panel.arrays["pictures"])), strict=False):
            _draw_image(axes, panel.arrays, index, own, scale)
        set_row_label(of_row[0], label, side_of(columns, most))
    without_ticks(every.flat)
    figure.colorbar(every[-1, 0].images[0], ax=every, label="weight / mean of the map")
    if any("masks" in panel.arrays for panel in panels):
        figure.supxlabel("white line: outline of the object", fontsize=FONT - 1)


def _draw_image(
    axes: Axes, arrays: Arrays, index: int, own: NDArray[np.float64] | None, scale: Normalize
) -> None:
    """Draw an image, or its map if there is one, with the outline of its object."""
    picture = arrays["pictures"][index]
    extent = (0, picture.shape[1], picture.shape[0], 0)
    if own is None:
        axes.imshow(picture, extent=extent)
    else:
        axes.imshow(own[index], extent=extent, cmap=COLOURS, norm=scale, interpolation="bilinear")
    if "masks" in arrays:
        axes.contour(shown_of(arrays, "masks")[index], [0.5], colors="white", linewidths=0.5)


QUANTITIES = (
    finding(
        "aggregation_entropy", "ratio", "aggregation entropy / largest", digits=3, short_title="aggr. entropy"
    ),
    finding(
        "aggregation_overlap",
        "fraction",
        "aggregation on the object (%)",
        scale=100.0,
        digits=1,
        short_title="aggr. on object (%)",
    ),
    finding(
        "object_area", "fraction", "area of the object (%)", scale=100.0, digits=1, short_title="object (%)"
    ),
)

ANALYSIS = Analysis(analyse, draws_one(compose), QUANTITIES, compose=compose, figure=2)
