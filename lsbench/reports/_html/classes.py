"""What the evaluations of a suite get wrong: single classes, confusions and calibration.

Shapes: K classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsbench.core.counted import counted
from lsbench.core.errors import StoreError
from lsbench.core.next_command import next_command
from lsbench.stats.calibration import calibration_error, reliability
from lsbench.store.answers import Answers
from lsbench.tables.frames.classes import Pairs, class_counts, confusions, most_confused
from lsbench.tables.frames.evaluations import Evaluation, read_evaluations
from lsbench.tables.summary import Summary

#: Most classes whose whole confusion matrix is in the page; of more, the most confused pairs.
MOST_CELLS, MOST_PAIRS = 30, 50
#: Most class accuracies that a page holds.
MOST_CLASSES = 400_000
#: Classes and pairs that the table without scripts names of each row.
MOST_NAMED = 3
TITLES = ["variant", "images", "class accuracy (%)", "worst classes (%)", "most often taken for", "ECE (%)"]

Way = tuple[str, str]
Grouped = dict[Way, dict[str, list[Evaluation]]]


def class_data(summary: Summary, table: pd.DataFrame) -> dict[str, Any]:
    """Return the classes of every evaluation, over all seeds of a variant together.

    Args:
        summary: A summary; only its rows are shown.
        table: The suite's long table.

    Returns:
        ``ways``: per data set and protocol the ``classes`` and the ``rows``, each with variant, title, image
        and correct count of each class, ``cells`` of the confusion matrix, ``bins`` of the reliability
        diagram or None, and ``ece``; ``table``: the rows of a table in words; ``notes``.
    """
    notes: list[str] = []
    grouped = _grouped(summary, table, notes)
    left = MOST_CLASSES
    left_out = 0
    ways = []
    for (dataset, protocol), variants in grouped.items():
        every = [one.answers for of in variants.values() for one in of]
        first = next((one for one in every if one.classes is not None), every[0])
        size = max(one.num_classes for one in every)
        kept = {name: of for n, (name, of) in enumerate(variants.items()) if (n + 1) * size <= left}
        left -= len(kept) * size
        left_out += len(variants) - len(kept)
        rows = [_row(name, of, size) for name, of in kept.items()]
        names = [first.class_title(index) for index in range(size)]
        ways.append({"dataset": dataset, "protocol": protocol, "classes": names, "rows": rows})
    if left_out and summary.folder is not None:
        results = summary.folder.root.parents[1]
        command = next_command("report", summary.suite, "--classes", "accuracy", results=results)
        notes.append(
            f"The classes of {counted(left_out, 'row')} are left out, since this page holds at most "
            f"{MOST_CLASSES} class accuracies; `{command}` has all."
        )
    return {"ways": ways, "table": _in_words(ways), "notes": notes}


def _grouped(summary: Summary, table: pd.DataFrame, notes: list[str]) -> Grouped:
    """Return data set and protocol -> variant -> the evaluations of its seeds, in the order of the rows."""
    if summary.folder is None:
        return {}
    shown = [row.variant for row in summary.rows]
    found: Grouped = {}
    try:
        for one in read_evaluations(summary.folder, table, shown):
            found.setdefault(one.way, {}).setdefault(one.variant, []).append(one)
    except StoreError as error:
        notes.append(f"No classes: {error}.")
        return {}
    return {
        way: dict(sorted(variants.items(), key=lambda pair: shown.index(pair[0])))
        for way, variants in found.items()
    }


def _row(variant: str, evaluations: Sequence[Evaluation], size: int) -> dict[str, Any]:
    answers = [one.answers for one in evaluations]
    pairs = confusions(answers)
    images, right, _ = class_counts(pairs, size)
    cells = pairs if size <= MOST_CELLS else _head(most_confused(pairs), MOST_PAIRS)
    return {
        "variant": variant,
        "title": evaluations[0].title,
        "seeds": len(evaluations),
        "images": images.tolist(),
        "right": right.tolist(),
        "cells": np.stack(cells, axis=1).tolist(),
        **_calibration(answers),
    }


def _head(pairs: Pairs, most: int) -> Pairs:
    true, said, counts = pairs
    return true[:most], said[:most], counts[:most]


def _calibration(answers: Sequence[Answers]) -> dict[str, Any]:
    """Return the bins of all seeds, and the mean calibration error; None without confidences."""
    bins = [found for one in answers if (found := _bins(one)) is not None]
    if not bins:
        return {"bins": None, "ece": None, "is_exact": False}
    return {
        "bins": np.round(np.sum(bins, axis=0), 4).tolist(),
        "ece": float(np.mean([calibration_error(of) for of in bins])),
        "is_exact": all(one.is_exact for one in answers),
    }


def _bins(answers: Answers) -> NDArray[np.float64] | None:
    """Return the bins of the images with a confidence; one that is NaN is in no bin."""
    if answers.confidence is None:
        return None
    is_known = np.isfinite(answers.confidence)
    return reliability(answers.confidence[is_known], answers.is_right[is_known]) if is_known.any() else None


def _in_words(ways: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return one line for each row of each data set, with its worst classes and confusions."""
    lines: list[list[str]] = []
    for way in ways:
        where = f" on {way['dataset']} ({way['protocol']})" if len(ways) > 1 else ""
        lines += [[f"{row['title']}{where}", *_words(row, way["classes"])] for row in way["rows"]]
    return lines


def _words(row: dict[str, Any], classes: Sequence[str]) -> Iterable[str]:
    images, right = np.array(row["images"]), np.array(row["right"])
    known = np.flatnonzero(images)
    accuracy = right[known] / images[known]
    worst = np.argsort(accuracy, kind="stable")[:MOST_NAMED]
    confused = sorted((cell for cell in row["cells"] if cell[0] != cell[1]), key=lambda cell: -cell[2])
    taken = [f"{classes[a]} for {classes[b]} ({count})" for a, b, count in confused[:MOST_NAMED]]
    return (
        str(images.sum() // row["seeds"]),
        f"{accuracy.mean() * 100:.1f}" if len(known) else "-",
        ", ".join(f"{classes[known[n]]} {accuracy[n] * 100:.1f}" for n in worst),
        ", ".join(taken) or "-",
        "-" if row["ece"] is None else f"{row['ece'] * 100:.2f}",
    )
