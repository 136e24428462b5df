"""The trials of a search as a table, grouped by variant, best first."""

from __future__ import annotations

import math
from typing import Any

from lsbench.core.counted import counted
from lsbench.core.quantity import Quantity, quantity
from lsbench.core.registry import JOBS
from lsbench.stats.seeds import Estimate
from lsbench.store.results import ResultsFolder
from lsbench.store.standing import DUE, RUNNING, WAITING, due_notes, standing_now
from lsbench.store.trials import history, read_epochs, read_search, read_trials
from lsbench.tables.cells import Cell, Column, Row

EPOCHS = Quantity("epochs", "count", None, "epochs", digits=0)
#: Order within a variant: completed trials, then stopped ones, then the rest.
RANK = {"ok": 0, "stopped": 1}


def trial_table(
    folder: ResultsFolder, manifest: dict[str, Any]
) -> tuple[list[Column], list[Row], list[str]] | None:
    """Return columns, rows and notes of a results folder's search, or None without a search."""
    search = manifest.get("search")
    content = read_search(folder)
    if search is None or content is None:
        return None
    kind = next((entry["kind"] for entry in manifest["jobs"]), "train")
    key = JOBS.load(kind).epoch_metrics[search["metric"]]
    lines = read_trials(folder)
    due = standing_now(folder, manifest).due(with_unfinished=True)
    trials = [_trial(entry, folder, lines, key, search) for entry in manifest["jobs"]]
    trials = [_as_due(one) if one["id"] in due else one for one in trials]
    variants = list(dict.fromkeys(trial["variant"] for trial in trials))
    variants.sort(key=lambda name: name != manifest["baseline"])
    sign = -1.0 if search["mode"] == "max" else 1.0
    trials.sort(key=lambda trial: (variants.index(trial["variant"]), *_order(trial, sign)))
    columns = _columns(search)
    rows = [_row(trial, search["metric"]) for trial in trials]
    return columns, rows, [*_notes(search, trials, variants), *due_notes(due.values())]


def _trial(
    entry: dict[str, Any],
    folder: ResultsFolder,
    lines: dict[tuple[str, int], dict[str, Any]],
    key: str,
    search: dict[str, Any],
) -> dict[str, Any]:
    number = int(entry["name"].rsplit("trial", 1)[-1])
    line = lines.get((entry["variant"], number), {})
    job_id = line.get("job_id") or entry["id"]
    job_folder = folder.job_folder(str(job_id))
    past = history(job_folder) if job_id else []
    values = [event[key] for event in past if event.get(key) is not None]
    is_done = bool(job_id) and folder.is_done(str(job_id))
    state = "ok" if is_done else line.get("state", WAITING)
    if not is_done and job_id and folder.is_running(str(job_id)):
        state = RUNNING
    elif state == RUNNING:  # of a run that has ended
        state = WAITING
    settings = line.get("settings") or _drawn(folder, number)
    return {
        "id": job_id,
        "variant": entry["variant"],
        "title": entry["title"],
        "number": number,
        "settings": {name: settings.get(name, "-") for name in search["space"]},
        "state": state,
        "epochs": len(read_epochs(job_folder)) if job_id else 0,
        "last": values[-1] if values else line.get("last"),
        "best": (max if search["mode"] == "max" else min)(values) if values else line.get("best"),
    }


def _as_due(trial: dict[str, Any]) -> dict[str, Any]:
    """Return a trial that earlier code trained, without its numbers."""
    return {**trial, "state": DUE, "epochs": 0, "last": None, "best": None}


def _drawn(folder: ResultsFolder, number: int) -> dict[str, Any]:
    settings = (read_search(folder) or {}).get("settings", [])
    return dict(settings[number]) if number < len(settings) else {}


def _order(trial: dict[str, Any], sign: float) -> tuple[Any, ...]:
    """Return the sort key of a trial within its variant: longest trained first, then best first."""
    value = math.inf if trial["last"] is None else sign * trial["last"]
    return RANK.get(trial["state"], 2), -trial["epochs"] if trial["state"] != "ok" else 0, value


def _columns(search: dict[str, Any]) -> list[Column]:
    columns = [Column(name, Quantity(name, "", None, name), "") for name in search["space"]]
    judged = quantity(search["metric"])
    columns.append(Column(search["metric"], judged, ""))
    columns.append(Column(f"best_{search['metric']}", judged, "best epoch", remark=" [best epoch]"))
    columns.append(Column("epochs", EPOCHS, ""))
    columns.append(Column("state", Quantity("state", "", None, "state"), ""))
    return columns


def _row(trial: dict[str, Any], metric: str) -> Row:
    cells = {name: _cell(value) for name, value in trial["settings"].items()}
    hole = "" if trial["state"] in RANK else trial["state"]
    cells[metric], cells[f"best_{metric}"] = _number(trial["last"], hole), _number(trial["best"], hole)
    cells["epochs"], cells["state"] = _number(trial["epochs"]), Cell(None, text=trial["state"])
    return Row(trial["variant"], f"{trial['title']} #{trial['number']}", False, cells)


def _number(value: float | None, hole: str = "") -> Cell:
    return Cell(None, hole) if value is None else Cell(Estimate(float(value), None, None, 1))


def _cell(value: Any) -> Cell:
    """Return the cell of a setting, a number or text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Cell(Estimate(float(value), None, None, 1), text=f"{value:g}")
    return Cell(None, text=str(value))


def _notes(search: dict[str, Any], trials: list[dict[str, Any]], variants: list[str]) -> list[str]:
    grid = len(trials) * search["epochs"]
    used = sum(trial["epochs"] for trial in trials)
    algorithm = search["algorithm"]["name"]
    notes = [
        f"Search with {algorithm}: {counted(search['trials'], 'trial')} per variant, at most "
        f"{counted(search['epochs'], 'epoch')} "
        f"each; {used} of the full grid's {grid} epochs were trained ({100 * used / grid:.0f} %)."
    ]
    trained = {trial["variant"] for trial in trials if trial["state"] == "ok"}
    lacking = [name for name in variants if name not in trained]
    if lacking:
        notes.append(f"No completed trial yet: {', '.join(lacking)}.")
    if algorithm == "pbt":
        notes.append("Trials of pbt copy each other's weights, so none is a training with fixed settings.")
    notes.append(
        f"The best of many trials is an optimistic estimate: judge the tuned suite by its own metrics, not "
        f"by {search['metric']} here."
    )
    return notes
