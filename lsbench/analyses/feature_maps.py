"""Feature maps: the output of the large-kernel perception and of the small-kernel aggregation.

Shown are the features after the perception's large depth-wise convolution and after the dynamic aggregation,
in the first stage that has them, as absolute values averaged over channels. The entropy of a map over
positions, divided by its maximum, says how evenly it is spread (1: evenly).

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, supplement, Figure 3. The numbers are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.analyses import Analysis, Findings, ModelPanel, NotApplicableError, Subject, draws_one, finding
from lsbench.analyses._maps import entropy
from lsbench.analyses._panels import (
    COLOURS,
    choose_shown,
    common_scale,
    grid,
    relative,
    set_title,
    show_same_images,
    shown_of,
    side_of,
    title_lines,
    without_ticks,
)

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import nn

    from lsbench.models.perception import LargeSmallConv


def analyse(subject: Subject) -> Findings:
    """Return both maps of each image, shape (N, h, w), and the entropies."""
    import torch

    from lsbench.models.observation import observed

    mixer = _first_mixer(subject.model)
    lkp, ska = [], []
    # The output of the aggregation is the input of its normalisation.
    with observed({"lkp": mixer.lkp.cv2, "ska": mixer.bn}) as seen, torch.no_grad():
        for images in subject.batches():
            subject.model(images)
            lkp.append(seen["lkp"].returned.abs().mean(dim=1))
            ska.append(seen["ska"].given.abs().mean(dim=1))
    maps = {name: torch.cat(parts).double().cpu().numpy() for name, parts in (("lkp", lkp), ("ska", ska))}
    shown = choose_shown(len(subject.pictures))
    return Findings(
        arrays={**maps, "pictures": subject.pictures[shown], "shown": shown},
        per_image={f"{name}_map_entropy": entropy(of_image) for name, of_image in maps.items()},
    )


def _first_mixer(model: nn.Module) -> LargeSmallConv:
    from lsbench.models.observation import mixers_of
    from lsbench.models.perception import LargeSmallConv

    for _, mixer in mixers_of(model).values():
        if isinstance(mixer, LargeSmallConv):
            return mixer
    raise NotApplicableError(
        "feature_maps: no token mixer of the model has both a perception and an aggregation; take an LSNet "
        "with ls_conv or without_lkp"
    )


def compose(panels: Sequence[ModelPanel], figure: Figure) -> None:
    """Draw each image beside both maps of each model, relative to their mean, on one scale."""
    columns: list[tuple[str, ModelPanel, NDArray[np.float64] | None]] = []
    for panel in panels:
        columns += [] if columns and show_same_images(panels) else [("image", panel, None)]
        for key in ("lkp", "ska"):
            label = f"{panel.label}\n{key.upper()}"
            columns.append((label, panel, relative(shown_of(panel.arrays, key))))
    rows = max(len(panel.arrays["pictures"]) for panel in panels)
    most = 5
    side = side_of(len(columns), most)
    lines = max(title_lines(label, side) for label, _, _ in columns)
    every = grid(figure, rows, len(columns), most=most, labels=0.3, below=lines)
    scale = common_scale(maps for _, _, maps in columns if maps is not None)
    for of_column, (label, panel, maps) in zip(every.T, columns, strict=True):
        shown = panel.arrays["pictures"] if maps is None else maps
        for axes, one in zip(of_column, shown, strict=False):
            image = axes.imshow(one, cmap=COLOURS, norm=None if maps is None else scale)
        set_title(of_column[0], label, side)
    without_ticks(every.flat)
    figure.colorbar(image, ax=every, label="|feature| / mean of the map")


QUANTITIES = (
    finding("lkp_map_entropy", "ratio", "LKP map entropy / largest", digits=3, short_title="LKP entropy"),
    finding("ska_map_entropy", "ratio", "SKA map entropy / largest", digits=3, short_title="SKA entropy"),
)

ANALYSIS = Analysis(analyse, draws_one(compose), QUANTITIES, compose=compose, figure=3)
