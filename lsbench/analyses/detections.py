"""Detections on pictures: boxes, masks, classes and scores, as far as a detector is fairly sure of them.

Drawn are the detections with a score of at least .3, the usual threshold of such pictures; average precision
counts all of them. Pictures are for looking at: which detector is better is told by its average precision.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, supplement, Figure 4 and section C.2. The number is ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lsbench.analyses import Analysis, DownstreamSubject, Findings, ModelPanel, draws_one, finding
from lsbench.analyses._label_places import place_labels
from lsbench.analyses._panels import FONT, SMALLEST
from lsbench.analyses._picture_rows import (
    GAP,
    WIDE,
    class_names,
    colours_of,
    in_rows,
    letters_on,
    number_of_pictures,
    on_any_colour,
    picture_rows,
    show_same_pictures,
    tinted,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from lsbench.analyses import Arrays
    from lsbench.analyses._picture_rows import Colour

THRESHOLD = 0.3
#: Share of its colour that an object's mask takes on.
TINT = 0.5
#: Height of a text with its edge, and the edge, over the size of its letters.
HIGH, PAD = 1.6, 0.12


def analyse(subject: DownstreamSubject) -> Findings:
    """Return the drawn detections of the shown images, and how many each image has."""
    counts = []
    shown: dict[str, NDArray[Any]] = {}
    names: list[str] = []
    for index, (image, found) in enumerate(subject.predictions()):
        is_drawn = found["scores"] >= THRESHOLD
        counts.append(float(is_drawn.sum()))
        if index not in subject.shown:
            continue
        number = len(names)
        names.append(image.name)
        shown[f"picture_{number}"] = image.picture
        for name in ("boxes", "scores", "labels", "masks"):
            if name in found:
                shown[f"{name}_{number}"] = found[name][is_drawn]
    arrays = {"names": np.array(names), "classes": np.array(subject.classes), **shown}
    return Findings(arrays, per_image={"detections_drawn": np.array(counts)})


def compose(panels: Sequence[ModelPanel], figure: Figure) -> None:
    """Draw the pictures of each model below those of the others, in as many rows as they need."""
    colours = colours_of(panels, _used(panels))
    is_same = show_same_pictures(panels)
    most = max(number_of_pictures(panel.arrays) for panel in panels)
    rows = [(panel, part) for part in in_rows(most) for panel in panels if _there(panel, part)]
    shapes = [[panel.arrays[f"picture_{n}"].shape for n in _there(panel, part)] for panel, part in rows]
    names = [
        [] if is_same and panel is not panels[0] else panel.arrays["names"][_there(panel, part)].tolist()
        for panel, part in rows
    ]
    title = panels[0].label if len(panels) == 1 else ""
    labels = [] if title else [panel.label for panel, _ in rows]
    every, high = picture_rows(figure, shapes, rows=labels, names=names, title=title, below=1.2)
    for axes_of_row, (panel, part) in zip(every, rows, strict=True):
        for axes, number in zip(axes_of_row, part, strict=False):
            _draw(axes, panel.arrays, number, colours)
            _write(axes, panel.arrays, number, colours, high)
    told = f"detections with a score of at least {THRESHOLD}"
    figure.supxlabel(told, fontsize=FONT - 1, y=GAP / figure.get_figheight(), va="bottom")


def _there(panel: ModelPanel, part: range) -> list[int]:
    """Return the numbers of a part of the pictures that a model has."""
    return [number for number in part if number < number_of_pictures(panel.arrays)]


def _used(panels: Sequence[ModelPanel]) -> Counter[str]:
    """Return how often each class is drawn."""
    found: Counter[str] = Counter()
    for panel in panels:
        names = class_names(panel.arrays)
        for number in range(number_of_pictures(panel.arrays)):
            found.update(names[label] for label in panel.arrays[f"labels_{number}"].tolist())
    return found


def _draw(axes: Axes, arrays: Arrays, number: int, colours: Mapping[str, Colour]) -> None:
    """Draw a picture with boxes and masks, the surest on top."""
    from matplotlib.patches import Rectangle

    boxes, masks, order = arrays[f"boxes_{number}"], arrays.get(f"masks_{number}"), _order(arrays, number)
    of_class = [colours.get(name) for name in class_names(arrays)]
    of_box = [of_class[label] for label in arrays[f"labels_{number}"].tolist()]
    pixels = arrays[f"picture_{number}"] / 255.0
    if masks is not None:
        for place in order[::-1]:
            pixels = tinted(pixels, masks[place], of_box[place], TINT)
            if masks[place].any() and not masks[place].all():  # else there is no outline
                axes.contour(masks[place], [0.5], colors=[of_box[place]], linewidths=0.5)
    axes.imshow(pixels)
    for place in order[::-1]:
        left, top, right, bottom = (boxes[place] - 0.5).tolist()  # the first pixel begins at -.5
        sides = right - left, bottom - top
        edge = {"edgecolor": of_box[place], "linewidth": 0.9, "path_effects": on_any_colour(1.5)}
        axes.add_patch(Rectangle((left, top), *sides, fill=False, **edge))


def _write(axes: Axes, arrays: Arrays, number: int, colours: Mapping[str, Colour], high: float) -> None:
    """Write class and score at each box, where they hide no other text of a picture `high` inches high."""
    shape, order = arrays[f"picture_{number}"].shape, _order(arrays, number)
    boxes, scores, labels = (arrays[f"{name}_{number}"][order] for name in ("boxes", "scores", "labels"))
    names = [class_names(arrays)[label] for label in labels.tolist()]
    texts = [f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True)]
    letter = SMALLEST / 72 * shape[0] / high
    sizes = [(len(text) * WIDE * letter, HIGH * letter) for text in texts]
    pad = PAD * letter
    places = place_labels(boxes, sizes, shape)
    for text, name, (x, y) in zip(texts, names, places, strict=True):
        box = {"boxstyle": f"square,pad={PAD}", "facecolor": colours[name], "edgecolor": "none"}
        ink = letters_on(colours[name])
        axes.text(
            x + pad, y + pad, text, fontsize=SMALLEST, color=ink, va="top", ha="left", clip_on=True, bbox=box
        )


def _order(arrays: Arrays, number: int) -> NDArray[np.int64]:
    """Return the places of a picture's detections, the surest first."""
    return np.argsort(-arrays[f"scores_{number}"], kind="stable")


QUANTITIES = (
    finding(
        "detections_drawn",
        "count",
        f"detections of an image, score at least {THRESHOLD}",
        digits=1,
        short_title="detections",
    ),
)

ANALYSIS = Analysis(analyse, draws_one(compose), QUANTITIES, compose=compose, figure=4, task="detection")
