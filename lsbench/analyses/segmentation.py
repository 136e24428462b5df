"""The class of each pixel: what a segmenter says below what is true.

Pixels that do not count, as their true class is unknown, are grey in the truth. Pixel accuracy is that over
all pixels of the analysed images that count; of very large images the smaller picture is counted.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, supplement, Figure 5 and section C.2. The numbers are ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lsbench.analyses import Analysis, DownstreamSubject, Findings, ModelPanel, draws_one, finding
from lsbench.analyses._panels import COLUMN, PAGE
from lsbench.analyses._picture_rows import (
    add_legend,
    class_names,
    colours_of,
    in_rows,
    legend_lines,
    number_of_pictures,
    picture_rows,
    show_same_pictures,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from lsbench.analyses import Arrays
    from lsbench.analyses._picture_rows import Colour

#: The label of pixels that do not count, their name and their colour.
IGNORED, UNLABELLED, NEUTRAL = 255, "unlabelled", (0.55, 0.55, 0.55)
#: Share of its class's colour that a pixel takes on; the rest is the picture in grey.
TINT = 0.8
#: Classes below this share of an image do not count as found in it.
LEAST = 0.005
#: Most classes that a legend names.
NAMED = 24


def analyse(subject: DownstreamSubject) -> Findings:
    """Return the label maps of the shown images, the classes of each image, and the pixel accuracy."""
    counts, right, counted = [], 0, 0
    shown: dict[str, NDArray[Any]] = {}
    names: list[str] = []
    for index, (image, found) in enumerate(subject.predictions()):
        labels = found["label_map"].astype(np.uint8)
        share = np.bincount(labels.ravel(), minlength=len(subject.classes)) / labels.size
        counts.append(float((share >= LEAST).sum()))
        if image.truth is not None:
            is_counted = image.truth != IGNORED
            right += int((labels == image.truth)[is_counted].sum())
            counted += int(is_counted.sum())
        if index not in subject.shown:
            continue
        number = len(names)
        names.append(image.name)
        shown |= {f"picture_{number}": image.picture, f"label_map_{number}": labels}
        if image.truth is not None:
            shown[f"truth_{number}"] = image.truth
    arrays = {"names": np.array(names), "classes": np.array(subject.classes), **shown}
    numbers = {"analysed_pixel_accuracy": right / counted} if counted else {}
    return Findings(arrays, numbers, {"classes_found": np.array(counts)})


class _Row(NamedTuple):
    """A row of a figure.

    Attributes:
        label: Its label.
        arrays: The arrays of the model that it is drawn from.
        numbers: Its pictures.
        layer: The label maps that are drawn; empty: the pictures themselves.
    """

    label: str
    arrays: Arrays
    numbers: list[int]
    layer: str = ""

    def shapes(self) -> list[tuple[int, ...]]:
        return [self.arrays[f"picture_{n}"].shape for n in self.numbers]

    def names(self) -> list[str]:
        return [] if self.layer else self.arrays["names"][self.numbers].tolist()


def compose(panels: Sequence[ModelPanel], figure: Figure) -> None:
    """Draw the pictures, below them the true label maps, and below these those of each model."""
    most = max(number_of_pictures(panel.arrays) for panel in panels)
    rows = [row for part in in_rows(most) for row in _rows(panels, part)]
    used = _used(rows)
    colours = colours_of(panels, used)
    legend = _legend(used, colours)
    title = panels[0].label if len(panels) == 1 else ""
    lines = legend_lines(PAGE if most > 1 else COLUMN, list(legend))
    shapes, names = [row.shapes() for row in rows], [row.names() for row in rows]
    labels = [row.label for row in rows]
    every, _ = picture_rows(figure, shapes, rows=labels, names=names, title=title, below=lines)
    for axes_of_row, row in zip(every, rows, strict=True):
        for axes, number in zip(axes_of_row, row.numbers, strict=True):
            axes.imshow(_pixels(row, number, colours))
    add_legend(figure, legend)


def _rows(panels: Sequence[ModelPanel], part: range) -> list[_Row]:
    """Return rows from above; images and truth are drawn once if all models were given the same."""
    is_same = show_same_pictures(panels)
    found: list[_Row] = []
    for panel in panels:
        arrays = panel.arrays
        numbers = [number for number in part if number < number_of_pictures(arrays)]
        if not numbers:
            continue
        if not found or not is_same:
            found.append(_Row("image", arrays, numbers))
            if any(name.startswith("truth_") for name in arrays):
                found.append(_Row("ground truth", arrays, numbers, "truth"))
        label = "prediction" if len(panels) == 1 else panel.label
        found.append(_Row(label, arrays, numbers, "label_map"))
    return found


def _used(rows: Sequence[_Row]) -> Counter[str]:
    """Return the pixels of each class in the figure, and those that do not count."""
    found: Counter[str] = Counter()
    for row in rows:
        names = {**dict(enumerate(class_names(row.arrays))), IGNORED: UNLABELLED}
        for number in row.numbers if row.layer else ():
            labels, counts = np.unique(row.arrays[f"{row.layer}_{number}"], return_counts=True)
            found.update({names[label]: count for label, count in zip(labels.tolist(), counts, strict=True)})
    return found


def _legend(used: Counter[str], colours: Mapping[str, Colour]) -> dict[str, Colour]:
    """Return name -> colour of the classes with most pixels, and of those that do not count."""
    most = sorted(colours, key=lambda name: -used[name])[:NAMED]
    found = {name: _on_grey(np.full(3, 0.6), np.array(colours[name])) for name in colours if name in most}
    return found | ({UNLABELLED: NEUTRAL} if used[UNLABELLED] else {})


def _pixels(row: _Row, number: int, colours: Mapping[str, Colour]) -> NDArray[np.float64]:
    """Return what is drawn, RGB in [0, 1]: a picture, or its label map over the picture in grey."""
    picture: NDArray[np.float64] = row.arrays[f"picture_{number}"] / 255.0
    if not row.layer:
        return picture
    of_label = np.tile(np.array(NEUTRAL), (256, 1))
    for place, name in enumerate(class_names(row.arrays)):
        of_label[place] = colours.get(name, NEUTRAL)
    labels = row.arrays[f"{row.layer}_{number}"]
    grey, pixels = picture.mean(axis=2, keepdims=True), of_label[labels]
    return np.where((labels == IGNORED)[..., None], pixels, _on_grey(grey, pixels))


def _on_grey(grey: NDArray[np.float64], colours: NDArray[np.float64]) -> Any:
    """Return colours laid over shades of grey."""
    found = TINT * colours + (1 - TINT) * grey
    return found if found.ndim > 1 else tuple(found.tolist())


QUANTITIES = (
    finding("classes_found", "count", "classes found in an image", digits=1, short_title="classes"),
    finding(
        "analysed_pixel_accuracy",
        "fraction",
        "pixel accuracy of the analysed images (%)",
        scale=100.0,
        digits=1,
        short_title="pixel acc. (%)",
    ),
)

ANALYSIS = Analysis(analyse, draws_one(compose), QUANTITIES, compose=compose, figure=5, task="segmentation")
