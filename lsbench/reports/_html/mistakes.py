"""The gallery of images that a row gets right and the baseline wrong, and the reverse."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lsbench.core.counted import counted
from lsbench.core.errors import StoreError
from lsbench.core.next_command import next_command
from lsbench.store.results import ResultsFolder
from lsbench.store.thumbnails import images_key, read_spec, read_thumbnail
from lsbench.tables.disagreements import Disagreement, Disagreements, find_disagreements
from lsbench.tables.summary import Summary

#: Most bytes of thumbnails that a page holds; of further images it names the files.
MOST_BYTES = 4_000_000
#: Most rows whose images a page names.
MOST_ROWS = 100


@dataclass(frozen=True)
class Shown:
    """One image as the page shows it.

    Attributes:
        uri: The thumbnail as a data URI; empty without one.
        name: Its file.
        words: The true class, and the answers of both.
        best: The row's most likely classes.
    """

    uri: str
    name: str
    words: str
    best: str

    @property
    def alt(self) -> str:
        """Alternative text."""
        return f"{self.name}: {self.words}"


class Page:
    """Reads thumbnails while there is room for them on the page."""

    def __init__(self, folder: ResultsFolder) -> None:
        self.left = MOST_BYTES
        self.missing = self.too_many = 0
        self.has_confidence = False
        self.folder = folder

    def show(self, one: Disagreements) -> dict[str, Any]:
        """Return the template's data for one row on one data set."""
        job = read_spec(self.folder, one.job_id)
        key = "" if job is None else images_key(job)
        kinds = (
            (f"{one.title} right, {one.other} wrong", one.gained, True),
            (f"{one.title} wrong, {one.other} right", one.lost, False),
        )
        groups = [
            {"name": name, "count": count, "images": [self._image(one, i, key) for i in of_kind]}
            for name, count, is_gain in kinds
            if (of_kind := [image for image in one.images if image.is_gain == is_gain])
        ]
        return {"title": one.title, "dataset": one.dataset, "reason": one.reason, "groups": groups}

    def _image(self, one: Disagreements, image: Disagreement, key: str) -> Shown:
        content = read_thumbnail(self.folder, key, image.index) if key else None
        uri = ""
        if content is None:
            self.missing += 1
        elif len(content) > self.left:
            self.too_many += 1
        else:
            self.left -= len(content)
            uri = f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"
        sure = "" if image.confidence is None else f" ({image.confidence * 100:.0f} %)"
        self.has_confidence |= bool(sure)
        seeds = f"; {image.seeds} of {one.seeds} seeds" if one.seeds > 1 else ""
        words = f"is {image.target}; {one.title}: {image.said}{sure}; {one.other}: {image.other}{seeds}"
        return Shown(uri, image.name, words, ", ".join(image.best))


def mistakes(summary: Summary, table: pd.DataFrame) -> dict[str, Any]:
    """Return the images that the rows of a summary and its baseline disagree about.

    Args:
        summary: The summary.
        table: The suite's long table.

    Returns:
        ``rows``: per row and data set its title and groups of images; ``has_confidence``: whether any of
        them has one; ``notes``.
    """
    if summary.folder is None or summary.baseline is None:
        return {"rows": [], "has_confidence": False, "notes": []}
    shown = [row.variant for row in summary.rows]
    try:
        found = find_disagreements(summary.folder, table, summary.baseline, shown)
    except StoreError as error:
        return {"rows": [], "has_confidence": False, "notes": [f"No images: {error}."]}
    page = Page(summary.folder)
    rows = [page.show(one) for one in found[:MOST_ROWS] if one.images or one.reason]
    notes = [f"{row['title']} on {row['dataset']}: {row['reason']}." for row in rows if row["reason"]]
    notes += _omissions(summary, page, found)
    shown_rows = [row for row in rows if row["groups"]]
    return {"rows": shown_rows, "has_confidence": page.has_confidence, "notes": notes}


def _without_thumbnail(count: int) -> str:
    return counted(
        count,
        "image has no thumbnail here: its file is named",
        "images have no thumbnail here: their files are named",
    )


def _omissions(summary: Summary, page: Page, found: list[Disagreements]) -> list[str]:
    notes = []
    again = next_command("report", summary.suite, "--thumbnails", "DATA", results=page.folder.root.parents[1])
    if page.missing:
        notes.append(
            f"{_without_thumbnail(page.missing)}. A run writes thumbnails "
            f"at its end, `{again}` whenever the images are there."
        )
    if page.too_many:
        notes.append(
            f"This page holds at most {MOST_BYTES / 1e6:.0f} MB of thumbnails; of {page.too_many} more "
            "images the files are named."
        )
    if len(found) > MOST_ROWS:
        notes.append(f"The images of the first {MOST_ROWS} of {len(found)} rows are shown.")
    return notes
