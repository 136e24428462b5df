"""The files of a search in a results folder, beside the results of its trials.

``search.json`` holds the search and the drawn settings, ``trials.jsonl`` one line per trial that has
ended, and the folder of each trial ``epochs.jsonl``, written by the trial's own process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lsbench.core.atomic import append_line, write_json
from lsbench.core.plain_warnings import warn
from lsbench.store.lines import read_lines
from lsbench.store.results import ResultsFolder, read_json

SEARCH, TRIALS, TUNED = "search.json", "trials.jsonl", "tuned.yaml"
#: In the folder of a trial: its epochs, the weights copied from other trials, and its failure.
EPOCHS, SCHEDULE, FAILURE = "epochs.jsonl", "schedule.jsonl", "failure.json"
#: In the folder of a trial in a population: copies of its checkpoints, for other trials.
SNAPSHOTS = "snapshots"

Key = tuple[str, int]


def write_search(folder: ResultsFolder, content: dict[str, Any]) -> None:
    """Write the search, unless it is already there."""
    if read_search(folder) != content:
        write_json(folder.root / SEARCH, content)


def read_search(folder: ResultsFolder) -> dict[str, Any] | None:
    """Return the search, or None if the folder holds none.

    Raises:
        StoreError: If the file is damaged.
    """
    return read_json(folder.root / SEARCH)


def add_trial(folder: ResultsFolder, line: dict[str, Any]) -> None:
    """Append a trial that has ended: ``search, variant, trial, job_id, settings, state``, metrics."""
    append_line(folder.root / TRIALS, [line])


def read_trials(folder: ResultsFolder) -> dict[Key, dict[str, Any]]:
    """Return the last line of each trial of the current search, by variant and number."""
    searches = (read_search(folder) or {}).get("ids", {})
    lines = read_lines(folder.root / TRIALS, warn=folder.warn)
    return {
        (line["variant"], line["trial"]): line
        for line in lines
        if line["search"] == searches.get(line["variant"])
    }


def add_epoch(job_folder: Path, event: dict[str, Any]) -> None:
    """Append a finished epoch."""
    append_line(job_folder / EPOCHS, [event])


def read_epochs(job_folder: Path) -> list[dict[str, Any]]:
    """Return every trained epoch in order of time; an epoch trained twice occurs twice."""
    return read_lines(job_folder / EPOCHS, warn=warn)


def history(job_folder: Path) -> list[dict[str, Any]]:
    """Return the last event of each finished epoch, in ascending order."""
    last = {event["epoch"]: event for event in read_epochs(job_folder)}
    return [last[epoch] for epoch in sorted(last)]


def read_schedule(job_folder: Path) -> list[dict[str, Any]]:
    """Return the takeovers of a trial in a population: ``epoch, trial, settings``."""
    return read_lines(job_folder / SCHEDULE, warn=warn)


def add_takeover(job_folder: Path, line: dict[str, Any]) -> None:
    """Append that a trial has copied another trial's weights."""
    append_line(job_folder / SCHEDULE, [line])
