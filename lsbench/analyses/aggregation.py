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
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lsbench.analyses import Analysis, Findings, NotApplicableError, Subject, finding
from lsbench.analyses._maps import entropy

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor, nn

STAGE = 3
SHOWN = 4


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
    arrays = {"weights": weights, "pictures": subject.pictures[:SHOWN]}
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


def draw(arrays: Mapping[str, NDArray[Any]], figure: Figure, title: str) -> None:
    """Draw the first images with their weights on top."""
    pictures = arrays["pictures"]
    axes = figure.subplots(2, len(pictures), squeeze=False)
    extent = (0, pictures.shape[2], pictures.shape[1], 0)
    for index, picture in enumerate(pictures):
        axes[0, index].imshow(picture, extent=extent)
        axes[1, index].imshow(picture, extent=extent)
        shown = arrays["weights"][index]
        axes[1, index].imshow(shown, extent=extent, cmap="viridis", alpha=0.65, interpolation="bicubic")
        for row in (0, 1):
            axes[row, index].set(xticks=[], yticks=[])
    figure.suptitle(f"{title}: accumulated aggregation weights")


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

ANALYSIS = Analysis(analyse, draw, QUANTITIES)
