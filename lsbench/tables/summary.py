"""One row per variant: what a reader of an ablation wants to see, with holes shown as holes.

Where a suite carries published numbers, they stand in columns of their own beside ours.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from lsbench.store.results import ResultsFolder
from lsbench.tables.analyses import AnalysisFigure, analysis_figures
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.columns import ALL_CLASSES, SHOWN, create_columns
from lsbench.tables.curves import Curve, curves_of, load_curves
from lsbench.tables.load import load_table
from lsbench.tables.nights import FILE, NightCurve, night_curves, read_nights
from lsbench.tables.published import add_published, published_notes
from lsbench.tables.robustness import CorruptionFigure, figures_of, load_corruptions
from lsbench.tables.search import trial_table
from lsbench.tables.statistics import (
    Estimate,
    detectable_difference,
    mean_over_seeds,
    paired_difference,
    pooled_deviation,
    seeds_needed,
)

#: Job kinds whose failure leaves a hole in the numbers of another kind.
BEFORE = {"evaluate": ("train",), "robustness": ("train",)}
#: Means over corruptions; a job that lacks a part of one finishes without it.
INCOMPLETE = ("mce", "relative_mce", "corruption_error", "clean_error")
ASKED_DIFFERENCE = 0.01


@dataclass(frozen=True)
class Summary:
    """The table of one suite and preset, with what a reader must know beside it."""

    suite: str
    preset: str
    description: str
    baseline: str
    is_smoke: bool
    columns: list[Column]
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    corruptions: list[CorruptionFigure] = field(default_factory=list)
    nights: list[NightCurve] = field(default_factory=list)
    analyses: list[AnalysisFigure] = field(default_factory=list)

    def to_frame(self) -> pd.DataFrame:
        """Return the summary as a pandas frame in SI units, with interval and seeds beside each value."""
        frame = pd.DataFrame([_flat(row, self.columns) for row in self.rows])
        if any(row.is_published_only for row in self.rows):
            frame.insert(3, "is_published_only", [row.is_published_only for row in self.rows])
        return frame


def _flat(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
    flat: dict[str, Any] = {"variant": row.variant, "title": row.title, "is_baseline": row.is_baseline}
    for column in columns:
        cell = row.cells[column.key]
        found = cell.estimate
        flat[column.key] = found.value if found else cell.text or None
        if found and found.low is not None:
            flat[f"{column.key}_ci_low"], flat[f"{column.key}_ci_high"] = found.low, found.high
        if cell.expected > 1:
            flat[f"{column.key}_n"] = found.n if found else 0
        if column.is_published:
            flat[f"{column.key}_gap"] = cell.gap
        if cell.hole:
            flat[f"{column.key}_hole"] = cell.hole
    return flat


def summarize(folder: ResultsFolder) -> Summary | None:
    """Return the summary of a results folder, or None if it has no manifest."""
    manifest = folder.manifest()
    if manifest is None:
        return None
    trials = trial_table(folder, manifest)
    if trials is not None:
        return _summary(manifest, *trials)
    table = load_table([folder])
    columns = create_columns(table, manifest["jobs"])
    variants = list(dict.fromkeys(entry["variant"] for entry in manifest["jobs"]))
    variants.sort(key=lambda name: name != manifest["baseline"])
    rows = [_row(name, manifest, table, columns) for name in variants]
    notes = [*_notes(manifest, table, columns, rows), *published_notes(columns, manifest)]
    columns, rows = add_published(columns, rows, manifest)
    return replace(
        _summary(manifest, columns, rows, notes),
        curves=curves_of(load_curves([folder])),
        corruptions=figures_of(load_corruptions([folder])),
        nights=_nights(folder),
        analyses=analysis_figures(table),
    )


def _nights(folder: ResultsFolder) -> list[NightCurve]:
    history = read_nights(folder.root / FILE)
    return night_curves(history, folder.root.parent.name, folder.root.name)


def _summary(manifest: dict[str, Any], columns: list[Column], rows: list[Row], notes: list[str]) -> Summary:
    return Summary(
        suite=manifest["suite"],
        preset=manifest["preset"],
        description=manifest["description"],
        baseline=manifest["baseline"],
        is_smoke="smoke" in manifest["tags"],
        columns=columns,
        rows=rows,
        notes=notes,
    )


def _row(name: str, manifest: dict[str, Any], table: pd.DataFrame, columns: list[Column]) -> Row:
    entries = [entry for entry in manifest["jobs"] if entry["variant"] == name]
    is_baseline = name == manifest["baseline"]
    cells = {}
    for column in columns:
        values = _values(table, name, column)
        if column.is_delta:
            cells[column.key] = _delta(values, _values(table, manifest["baseline"], column), is_baseline)
        else:
            cells[column.key] = _cell(values, table, name, column)
    return Row(name, entries[0]["title"], is_baseline, cells)


def _values(table: pd.DataFrame, variant: str, column: Column) -> dict[int, float]:
    """Return seed -> value (seed -1 where a job has none)."""
    rows = table[_is_measured(table, variant, column)]
    seeds = rows.seed.fillna(-1).astype(int)
    return dict(zip(seeds, rows.value.astype(float), strict=True))


def _is_measured(table: pd.DataFrame, variant: str, column: Column) -> pd.Series[bool]:
    return (table.variant == variant) & _is_shown(table, column) & table.value.notna()


def _is_shown(table: pd.DataFrame, column: Column) -> pd.Series[bool]:
    """Return which rows a column shows, whether they hold a value or say that there is none."""
    is_metric = (table.metric == column.quantity.name) & (table.protocol == column.protocol)
    if column.dataset is not None:
        is_metric &= table.dataset == column.dataset
    return is_metric.fillna(False)


def _delta(values: dict[int, float], baseline: dict[int, float], is_baseline: bool) -> Cell:
    return Cell(None if is_baseline else paired_difference(values, baseline), expected=len(baseline))


def _cell(values: dict[int, float], table: pd.DataFrame, variant: str, column: Column) -> Cell:
    jobs = _jobs(table, variant, column)
    expected = max(len(jobs.drop_duplicates("seed")), 1)
    if not values:
        return Cell(None, _hole(jobs, table, variant, column), expected)
    if list(values) == [-1]:
        return Cell(_single(table, variant, column, values[-1]), expected=1)
    return Cell(mean_over_seeds(list(values.values())), expected=expected)


def _jobs(table: pd.DataFrame, variant: str, column: Column) -> pd.DataFrame:
    """Return the rows of the jobs that measure, or should have measured, a column for a variant."""
    jobs = table[(table.variant == variant) & (table.kind == SHOWN[column.quantity.name].kind)]
    own = jobs[jobs.job.isin(column.jobs)]
    return own if len(own) else jobs


def _hole(jobs: pd.DataFrame, table: pd.DataFrame, variant: str, column: Column) -> str:
    """Return why a variant has no number in a column."""
    before = BEFORE.get(SHOWN[column.quantity.name].kind, ())
    needed = table[(table.variant == variant) & table.kind.isin(before)]
    if column.quantity.name in INCOMPLETE and _is_shown(jobs, column).any():
        return "withheld"
    if "failed" in {*jobs.status, *needed.status}:
        return "failed"
    return "inconclusive" if _is_inconclusive(table, variant, column) else "missing"


def _is_inconclusive(table: pd.DataFrame, variant: str, column: Column) -> bool:
    """Return whether the variant was timed, but on a machine that others disturbed too much."""
    rows = table[(table.variant == variant) & (table.metric == column.quantity.name).fillna(False)]
    return column.quantity.depends_on_machine and bool(rows.value.isna().any())


def _single(table: pd.DataFrame, variant: str, column: Column, value: float) -> Estimate:
    """Return a number measured once, with the interval that was measured with it."""
    row = table[_is_measured(table, variant, column)].iloc[-1]
    low = None if pd.isna(row.ci_low) else float(row.ci_low)
    high = None if pd.isna(row.ci_high) else float(row.ci_high)
    return Estimate(value, low, high, 1)


def _notes(
    manifest: dict[str, Any], table: pd.DataFrame, columns: list[Column], rows: list[Row]
) -> list[str]:
    notes = []
    if "smoke" in manifest["tags"]:
        notes.append("Smoke test: these numbers only prove that the machinery works.")
    if "+" in manifest["preset"]:
        notes.append(f"Run with overrides ({manifest['preset']}): not comparable with other tables.")
    if not notes:
        notes += _resolution(table, columns, rows, manifest["baseline"])
    notes += _ways(columns)
    if any(cell.hole == "withheld" for row in rows for cell in row.cells.values()):
        notes.append(
            "withheld: a part of the corruptions or the reference's errors are missing, and a mean over the "
            "rest would be another number."
        )
    if any(cell.hole == "inconclusive" for row in rows for cell in row.cells.values()):
        notes.append("inconclusive: others used the machine during too many samples for a number.")
    uncounted = _uncounted(table)
    if uncounted:
        notes.append(f"FLOPs leave out operators without a formula: {', '.join(uncounted)}.")
    known = table.dropna(subset="job_id")
    status = dict(zip(known.job_id, known.status, strict=True))
    counts = Counter(status.get(entry["id"], "missing") for entry in manifest["jobs"])
    holes = [f"{counts[state]} {state}" for state in ("failed", "missing") if counts[state]]
    if holes:
        notes.append(f"Of {len(manifest['jobs'])} jobs: {', '.join(holes)}.")
    notes += _machines(table)
    return notes


def _ways(columns: list[Column]) -> list[str]:
    """Say how each column was measured; those of images that were measured in the same way share a line."""
    shown = [column for column in columns if column.protocol and not column.is_delta]
    titles: dict[tuple[str, str], list[str]] = {}
    for column in shown:
        titles.setdefault((column.way, "" if column.dataset else column.key), []).append(
            column.quantity.title
        )
    notes = [f"{', '.join(names)}: {way}." for (way, _), names in titles.items()]
    if any(column.remark == ALL_CLASSES for column in shown):
        notes.append(
            f"{ALL_CLASSES.strip(', ')}: the answer is taken among all classes of the model, in the column "
            "before among those of the data set alone."
        )
    return notes


def _resolution(table: pd.DataFrame, columns: list[Column], rows: list[Row], baseline: str) -> list[str]:
    """Say which differences the seeds can tell apart, and what it would take to tell more."""
    notes = []
    for column in (c for c in columns if c.is_delta):
        told = [row.title for row in rows if _is_told_apart(row.cells[column.key])]
        if column.published_as != "top1":
            if all((cell := row.cells[column.key].estimate) is None or cell.low is None for row in rows):
                continue
            title = replace(column, is_delta=False).title
            notes.append(f"Told apart from the baseline by {title}: {', '.join(told) or 'none'}.")
            continue
        base = _values(table, baseline, column)
        found = [estimate for row in rows if (estimate := row.cells[column.key].estimate)]
        seeds = max((estimate.n for estimate in found), default=0)
        if seeds < 2:
            note = "One seed: no interval, so no difference in top-1 can be told from noise."
            notes += [] if note in notes else [note]
            continue
        differences = []
        for row in rows:
            values = _values(table, row.variant, column)
            shared = sorted(values.keys() & base.keys())
            if row.variant != baseline and len(shared) > 1:
                differences.append([values[seed] - base[seed] for seed in shared])
        deviation = pooled_deviation(differences)
        if deviation is None:
            continue
        smallest = detectable_difference(deviation, seeds)
        needed = seeds_needed(deviation, ASKED_DIFFERENCE)
        notes.append(
            f"Intervals: 95 % Student t over {seeds} seeds; differences are paired by seed. "
            f"Told apart from the baseline: {', '.join(told) or 'none'}."
        )
        notes.append(
            f"With {seeds} seeds a true difference of {100 * smallest:.1f} points is found in 80 % of all "
            f"runs; one of {100 * ASKED_DIFFERENCE:.0f} point would take {needed or 'more than 1000'} seeds."
        )
    return notes


def _is_told_apart(cell: Cell) -> bool:
    return cell.estimate is not None and cell.estimate.excludes_zero


def _uncounted(table: pd.DataFrame) -> list[str]:
    rows = table[table.metric == "macs"]
    names = {name for text in rows.setting.dropna() for name in json.loads(text).get("uncounted_ops", {})}
    return sorted(names)


def _machines(table: pd.DataFrame) -> list[str]:
    """Say on what the numbers were measured, and warn if timings come from more than one machine."""
    rows = table[table.metric.isin(["latency_ms", "throughput"])]
    found: dict[str, None] = {}
    for text in rows.provenance.dropna():
        where = json.loads(text)
        device = where.get("device_name") or where.get("cpu")
        found[
            f"{device} ({where.get('host')}), torch {where.get('torch')}, lsbench {where.get('lsbench')}"
        ] = None
    if len(found) > 1:
        return [f"Timings come from different machines, do not compare them: {'; '.join(found)}."]
    return [f"Timed on {name}." for name in found]
