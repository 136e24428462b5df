"""Accuracy and confusions of single classes, as long frames and as counts.

Shapes: K classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsbench.store.answers import Answers
from lsbench.store.damage import read_each
from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.evaluations import Evaluation, read_evaluations
from lsbench.tables.frames.load import load_table

_OF_EVALUATION = {
    "suite": "string",
    "preset": "string",
    "variant": "string",
    "title": "string",
    "seed": "Int64",
    "job_id": "string",
    "dataset": "string",
    "protocol": "string",
}
#: Columns of the frame of classes, with the pandas type of each.
CLASS_COLUMNS = {
    **_OF_EVALUATION,
    "class_index": "int64",
    "class_name": "string",
    "class_title": "string",
    "images": "int64",
    "right": "int64",
    "predicted": "int64",
    "accuracy": "Float64",
    "precision": "Float64",
    "confused_with": "string",
    "confused_images": "int64",
}
#: Columns of the frame of confusions, with the pandas type of each.
CONFUSION_COLUMNS = {**_OF_EVALUATION, "true_class": "string", "predicted_class": "string", "images": "int64"}

Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def confusions(answers: Iterable[Answers]) -> Pairs:
    """Return the cells of the confusion matrix that are not zero: true class, predicted class, image count.

    The images of several evaluations are added up. Cells are in the order of the true, then of the predicted
    class.
    """
    pairs = [np.stack([one.targets, one.predictions]) for one in answers]
    if not pairs:
        empty = np.empty(0, np.int64)
        return empty, empty, empty
    cells, counts = np.unique(np.concatenate(pairs, axis=1), axis=1, return_counts=True)
    return cells[0], cells[1], counts


def class_counts(pairs: Pairs, num_classes: int) -> tuple[NDArray[np.int64], ...]:
    """Return for each class its images, those predicted correctly, and those predicted as it, ``(K,)``."""
    true, said, counts = pairs

    def count(classes: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(classes, weights, num_classes).astype(np.int64)

    return count(true, counts), count(true, np.where(true == said, counts, 0)), count(said, counts)


def most_confused(pairs: Pairs) -> Pairs:
    """Return the cells off the diagonal, those with the most images first."""
    true, said, counts = pairs
    off = np.flatnonzero(true != said)
    order = off[np.argsort(-counts[off], kind="stable")]
    return true[order], said[order], counts[order]


def load_classes(folders: Iterable[ResultsFolder], variants: Iterable[str] | None = None) -> pd.DataFrame:
    """Return one row per evaluation and class with its accuracy, in the order of the manifest.

    Columns are those of :data:`CLASS_COLUMNS`. `class_title` is the name for readers where `class_name` is a
    WordNet id, and else the same. `images` is the image count of the class, `right` how many of
    them were predicted correctly, `predicted` how many images were predicted as the class; `accuracy` is
    ``right / images`` and `precision` is ``right / predicted``, null where nothing is divided. Most of its
    wrong images, `confused_images`, were predicted as `confused_with`.

    Raises:
        StoreError: If a file is damaged.
    """
    return _load(folders, variants, CLASS_COLUMNS, _class_columns)


def load_confusions(folders: Iterable[ResultsFolder], variants: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the confusion matrix of each evaluation: one row per cell that is not zero.

    Columns are those of :data:`CONFUSION_COLUMNS`.

    Raises:
        StoreError: If a file is damaged.
    """
    return _load(folders, variants, CONFUSION_COLUMNS, _confusion_columns)


def _load(
    folders: Iterable[ResultsFolder],
    variants: Iterable[str] | None,
    columns: Mapping[str, str],
    create: Any,
) -> pd.DataFrame:
    wanted = None if variants is None else list(variants)

    def frames_of(folder: ResultsFolder) -> list[pd.DataFrame]:
        found = []
        table = load_table([folder])
        for one in read_evaluations(folder, table, wanted):
            where = {"suite": table.suite.iloc[0], "preset": table.preset.iloc[0], "seed": one.seed}
            own = {name: getattr(one, name) for name in ("variant", "title", "job_id", "dataset", "protocol")}
            found.append(pd.DataFrame({**create(one), **where, **own})[list(columns)].astype(dict(columns)))
        return found

    frames = [frame for found in read_each(folders, frames_of) for frame in found]
    if not frames:
        return pd.DataFrame(columns=list(columns)).astype(dict(columns))
    return pd.concat(frames, ignore_index=True)


def _class_columns(one: Evaluation) -> dict[str, Any]:
    answers = one.answers
    pairs, size = confusions([answers]), answers.num_classes
    images, right, predicted = class_counts(pairs, size)
    # An image is of a class of the test set, of which it may have only some.
    classes = np.flatnonzero(images + predicted)
    true, said, counts = most_confused(pairs)
    confused, first = np.unique(true, return_index=True)
    others, lost = np.full(size, -1), np.zeros(size, np.int64)
    others[confused], lost[confused] = said[first], counts[first]
    return {
        "class_index": classes,
        "class_name": _names(answers, classes),
        "class_title": [answers.class_title(index) for index in classes.tolist()],
        "images": images[classes],
        "right": right[classes],
        "predicted": predicted[classes],
        "accuracy": _share(right[classes], images[classes]),
        "precision": _share(right[classes], predicted[classes]),
        "confused_with": [None if n < 0 else answers.class_name(n) for n in others[classes].tolist()],
        "confused_images": lost[classes],
    }


def _confusion_columns(one: Evaluation) -> dict[str, Any]:
    true, said, counts = confusions([one.answers])
    names = {"true_class": _names(one.answers, true), "predicted_class": _names(one.answers, said)}
    return {**names, "images": counts}


def _names(answers: Answers, classes: NDArray[np.int64]) -> Sequence[str]:
    return [answers.class_name(index) for index in classes.tolist()]


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> list[float | None]:
    return [right / of if of else None for right, of in zip(part.tolist(), whole.tolist(), strict=True)]
