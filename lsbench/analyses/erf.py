"""Effective receptive field: the influence of each pixel on the centre of the final map.

The field is the gradient of the central position of the final map, summed over its channels, with respect to
the input; its absolute values are summed over the colours and averaged over the images. The area of a share
is that of the smallest square around the field's centre of mass that holds this share of the sum, divided by
the image's area. The square is cut off at the image's border; between two squares of pixels the share is
interpolated linearly in the area, so that a uniform field gives exactly the share.

Source:
    Luo et al., NeurIPS 2016, arXiv:1701.04128, for the field; Ding et al., CVPR 2022, arXiv:2203.06717,
    section 4.3, for the area ratios; LSNet, CVPR 2025, arXiv:2503.23135, supplement, Figure 1.

Differs from the authors' code:
    RepLKNet's code drops negative features and gradients instead of taking absolute values, and centres its
    squares in the image, although the central position of a map of even side is not centred there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lsbench.analyses import Analysis, Findings, ModelPanel, Subject, draws_one, finding
from lsbench.analyses._panels import COLOURS, FONT, side_by_side, without_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor, nn

SHARES = (0.2, 0.3, 0.5, 0.99)
#: Shares whose areas are written below a picture.
SHOWN = (0.5, 0.99)
#: Smallest contribution that a picture tells from none, relative to the largest.
LEAST = 1e-4


def analyse(subject: Subject) -> Findings:
    """Return the field, shape (H, W), with sum 1, and its area ratios."""
    import torch

    total = torch.zeros(subject.images.shape[2:], dtype=torch.float64)
    for images in subject.batches():
        total += contribution(subject.model, images)
    field = (total / total.sum().clamp_min(1e-300)).numpy()
    return Findings(
        arrays={"field": field, "shares": np.array(SHARES)},
        numbers={f"erf_area_{round(100 * share)}": area_ratio(field, share) for share in SHARES},
    )


def contribution(model: nn.Module, images: Tensor) -> Tensor:
    """Return the sum over images (N, 3, H, W) of the centre's absolute gradients, float64, shape (H, W)."""
    import torch

    from lsbench.models.observation import final_map

    images = images.detach().requires_grad_(True)
    with torch.enable_grad():
        features = final_map(model, images)
        centre = features[:, :, features.shape[2] // 2, features.shape[3] // 2].sum()
        (gradient,) = torch.autograd.grad(centre, images)
    return gradient.abs().double().sum(dim=(0, 1)).cpu()


def area_ratio(field: NDArray[np.float64], share: float) -> float:
    """Return the area of the smallest centred square with `share` of the field, over the whole area.

    >>> round(area_ratio(np.ones((6, 6)), 0.3), 12)
    0.3
    """
    rows, cols = np.indices(field.shape)
    total = field.sum()
    if total <= 0:
        return float("nan")
    centre = (rows * field).sum() / total, (cols * field).sum() / total
    distance = np.maximum(abs(rows - centre[0]), abs(cols - centre[1])).round(9)
    rings, ring_of = np.unique(distance, return_inverse=True)
    areas = np.bincount(ring_of.ravel(), minlength=len(rings)).cumsum() / field.size
    shares = np.bincount(ring_of.ravel(), weights=field.ravel(), minlength=len(rings)).cumsum() / total
    first = int(np.searchsorted(shares, share - 1e-12))
    before = (shares[first - 1], areas[first - 1]) if first else (0.0, 0.0)
    part = (share - before[0]) / (shares[first] - before[0])
    return float(before[1] + part * (areas[first] - before[1]))


def compose(panels: Sequence[ModelPanel], figure: Figure) -> None:
    """Draw the fields side by side, each relative to its largest value, on one logarithmic scale.

    A field alone is drawn on the same scale as any other.
    """
    from matplotlib.colors import LogNorm

    every = side_by_side(figure, panels, most=4, labels=2.5, below=1.5)
    fields = [panel.arrays["field"] for panel in panels]
    shares = [field / max(field.max(), 1e-300) for field in fields]
    lowest = _decade(min(float(share.min()) for share in shares)) if len(panels) > 1 else LEAST
    for axes, field, share in zip(every, fields, shares, strict=True):
        image = axes.imshow(np.maximum(share, lowest), cmap=COLOURS, norm=LogNorm(lowest, 1.0))
        areas = (f"{100 * part:.0f} %: {100 * area_ratio(field, part):.1f} %" for part in SHOWN)
        axes.set_xlabel("\n".join(areas), fontsize=FONT - 1)
        axes.set_ylabel(f"{len(field)} px" if axes is every[0] else "")
    without_ticks(every)
    figure.colorbar(image, ax=every, label="contribution / largest")
    figure.supxlabel("share of the field: part of the image that holds it", fontsize=FONT - 1)


def _decade(value: float) -> float:
    """Return the power of ten at or below a contribution: from LEAST to 0.1.

    >>> _decade(0.02), _decade(1.0), _decade(0.0) == LEAST
    (0.01, 0.1, True)
    """
    return 10.0 ** min(math.floor(math.log10(max(value, LEAST)) + 1e-9), -1)


QUANTITIES = tuple(
    finding(f"erf_area_{percent}", "fraction", f"ERF area of {percent} % (%)", scale=100.0, digits=1)
    for percent in (round(100 * share) for share in SHARES)
)

ANALYSIS = Analysis(analyse, draws_one(compose), QUANTITIES, compose=compose, figure=1)
