"""The summary of a suite: one row per variant, with holes shown as holes.

Published numbers of a suite have columns of their own beside ours.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from lsbench.core.counted import counted
from lsbench.core.quantity import declarations, is_declared
from lsbench.stats.seeds import mean_over_seeds, paired_difference
from lsbench.store.results import ResultsFolder
from lsbench.store.standing import DUE, RUNNING, WAITING, due_notes
from lsbench.tables.analyses import AnalysisFigure, analysis_figures
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.columns import ALL_CLASSES, FURTHER, create_columns
from lsbench.tables.comparisons import Comparison, compare_with_baseline, with_differences
from lsbench.tables.curves import Curve, curves_frame, curves_of
from lsbench.tables.frames.corruptions import corruptions_frame
from lsbench.tables.frames.load import table_of
from lsbench.tables.frames.parts import OpenResults
from lsbench.tables.measured import Measured
from lsbench.tables.nights import FILE, NightCurve, night_curves, read_nights
from lsbench.tables.own_ways import own_way_notes, with_own_ways
from lsbench.tables.published.columns import add_published, published_notes
from lsbench.tables.ranking import ranked
from lsbench.tables.robustness import CorruptionFigure, figures_of
from lsbench.tables.search import trial_table

MACHINES = "Timings come from different machines"
#: What the names of a frame's columns add to the key of the table's column.
FRAME_SUFFIXES = ("", "_ci_low", "_ci_high", "_n", "_gap", "_hole")
#: Notes, and those of them that are warnings.
Told = tuple[list[str], list[str]]


@dataclass(frozen=True)
class Summary:
    """The table of one suite and preset, with its notes and the data of all further sections."""

    suite: str
    preset: str
    description: str
    baseline: str
    is_smoke: bool
    columns: list[Column]
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    corruptions: Sequence[CorruptionFigure] = field(default_factory=list)
    nights: list[NightCurve] = field(default_factory=list)
    #: Name of a row in the header.
    row_kind: str = "variant"
    #: The results folder, for reports that trace each number to its job.
    folder: ResultsFolder | None = field(default=None, compare=False, repr=False)
    comparisons: list[Comparison] = field(default_factory=list)
    analyses: list[AnalysisFigure] = field(default_factory=list)
    #: True to show the further measurements in console, Markdown and LaTeX tables.
    shows_further: bool = False
    #: The notes that also go to stderr when a format has no notes.
    warnings: list[str] = field(default_factory=list)
    #: Returns notes and warnings for some of the columns; None where the notes are about all of the table.
    notes_on: Callable[[Sequence[Column]], Told] | None = field(default=None, compare=False, repr=False)
    #: Where published numbers are from; empty if there are none or the suite names no source.
    source: str = ""
    #: The subject of the table, where suite and preset do not say it.
    caption: str = ""
    #: False to leave out the notes below tables and sections.
    has_notes: bool = True
    #: False to leave out the sections that reports read from the results folder.
    has_sections: bool = True

    @property
    def further_notes(self) -> list[str]:
        """Notes with the protocols of the further measurements."""
        pivoted = [cell.of for row in self.rows for cell in row.cells.values() if cell.of is not None]
        columns = [*self.columns, *dict.fromkeys(pivoted)]
        return _ways([column for column in columns if column.panel == FURTHER], is_short=True)

    def to_frame(self) -> pd.DataFrame:
        """Return the summary as a frame in SI units, with interval and seed count beside each value."""
        frame = pd.DataFrame([_flat(row, self.columns) for row in self.rows])
        if any(row.is_published_only for row in self.rows):
            frame.insert(3, "is_published_only", [row.is_published_only for row in self.rows])
        return frame


def _flat(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
    flat: dict[str, Any] = {"variant": row.variant, "title": row.title, "is_baseline": row.is_baseline}
    for column in columns:
        cell = row.cells[column.key]
        if cell.of is not None:
            flat["unit"] = cell.of.quantity.unit
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
        return replace(_summary(manifest, *trials), folder=folder)
    opened = OpenResults(folder, manifest)
    declared = [one.quantity for one in declarations().values()]
    noted = {one.name for one in declared if one.note is not None}
    timed = {one.name for one in declared if one.is_headline and one.depends_on_machine}
    as_measured = table_of(opened, texts_of=noted | timed)
    table = with_own_ways(as_measured)
    columns = create_columns(table, manifest["jobs"])
    measured = Measured(table, manifest.get("without"))
    titles = {entry["variant"]: entry["title"] for entry in reversed(manifest["jobs"])}
    variants = list(dict.fromkeys(entry["variant"] for entry in manifest["jobs"]))
    variants.sort(key=lambda name: name != manifest["baseline"])
    compared = compare_with_baseline(folder, manifest, table, columns)
    rows = with_differences(
        [_row(name, titles[name], manifest["baseline"], measured, columns) for name in variants],
        columns,
        compared,
    )
    mixtures, ours = opened.mixtures(), columns
    columns, rows = add_published(columns, rows, manifest)

    def notes_on(shown: Sequence[Column]) -> Told:
        own = [column for column in shown if not column.is_published]
        machines = _machines(table[table.metric.isin(timed & {column.quantity.name for column in own})])
        warnings = [*_undeclared(own), *mixtures]
        states = _states(manifest, table, has_columns=bool(shown))
        of_shown = as_measured[as_measured.metric.isin({column.quantity.name for column in own})]
        merged = of_shown[(of_shown.protocol != table.protocol[of_shown.index]).fillna(False)]
        ways = own_way_notes(merged, titles)
        notes = [*_notes(manifest, table, own, rows), *states, *ways, *warnings, *machines]
        notes += published_notes(ours, shown, manifest)
        return notes, warnings if shown else [*warnings, *states]

    notes, warnings = notes_on(columns)
    if "smoke" not in manifest["tags"]:
        rows = ranked(columns, rows, on_one_machine=not any(note.startswith(MACHINES) for note in notes))
    return replace(
        _summary(manifest, columns, rows, notes),
        curves=curves_of(curves_frame(opened)),
        corruptions=figures_of(corruptions_frame(opened)),
        nights=_nights(folder),
        folder=folder,
        comparisons=compared,
        analyses=analysis_figures(table),
        warnings=warnings,
        notes_on=notes_on,
    )


def _nights(folder: ResultsFolder) -> list[NightCurve]:
    history = read_nights(folder.root / FILE)
    manifest = ResultsFolder(folder.root).manifest() or {"suite": "", "preset": ""}
    return night_curves(history, manifest["suite"], manifest["preset"])


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
        source=manifest.get("source") or "",
    )


def _row(name: str, title: str, baseline: str, measured: Measured, columns: list[Column]) -> Row:
    cells = {}
    for column in columns:
        values = measured.values(name, column)
        if column.is_delta:
            cells[column.key] = _delta(values, measured.values(baseline, column), name == baseline)
        else:
            cells[column.key] = _cell(values, measured, name, column)
    return Row(name, title, name == baseline, cells)


def _delta(values: dict[int, float], baseline: dict[int, float], is_baseline: bool) -> Cell:
    return Cell(None if is_baseline else paired_difference(values, baseline), expected=len(baseline))


def _cell(values: dict[int, float], measured: Measured, variant: str, column: Column) -> Cell:
    expected = measured.expected(variant, column)
    if not values:
        return Cell(None, measured.hole(variant, column), expected)
    if list(values) == [-1]:
        return Cell(measured.single(variant, column, values[-1]), expected=1)
    if column.quantity.is_paired and len(values) == 1:
        [value] = values.values()
        return Cell(measured.single(variant, column, value), expected=expected)
    return Cell(mean_over_seeds(list(values.values())), expected=expected)


def _notes(
    manifest: dict[str, Any],
    table: pd.DataFrame,
    columns: list[Column],
    rows: list[Row],
) -> list[str]:
    notes = []
    if "smoke" in manifest["tags"]:
        notes.append("Smoke test: these numbers only show that everything runs.")
    if "+" in manifest["preset"]:
        notes.append(f"Run with overrides ({manifest['preset']}): not comparable with other tables.")
    notes += _ways([column for column in columns if column.panel != FURTHER])
    cells = [row.cells.get(column.key) for row in rows for column in columns]
    holes_shown = {cell.hole for cell in cells if cell is not None}
    if "withheld" in holes_shown:
        notes.append(
            "withheld: some corruptions or reference errors are missing, and a mean over the rest would not "
            "be comparable."
        )
    if "inconclusive" in holes_shown:
        notes.append("inconclusive: other processes disturbed too many of the samples.")
    for shown in dict.fromkeys(column.quantity for column in columns):
        if shown.note is not None:
            settings = table[(table.metric == shown.name).fillna(False)].setting.dropna()
            notes += shown.note([json.loads(text) for text in settings])
    return [*notes, *left_out_notes(manifest)]


def _states(manifest: dict[str, Any], table: pd.DataFrame, *, has_columns: bool) -> list[str]:
    """Return notes on the jobs that have no result, or on all if nothing of them has a column."""
    known = table.dropna(subset="job_id")
    status = dict(zip(known.job_id, known.status, strict=True))
    counts = Counter(status.get(entry["id"], WAITING) for entry in manifest["jobs"])
    holes = [f"{counts[state]} {state}" for state in ("failed", DUE, RUNNING, WAITING) if counts[state]]
    notes = [f"Of {counted(len(manifest['jobs']), 'job')}: {', '.join(holes)}."] if holes else []
    if not holes and not has_columns:
        done = counted(len(manifest["jobs"]), "job is", "jobs are")
        notes.append(f"{done} done and measured nothing that has a column.")
    return [*notes, *due_notes(known[(known.status == DUE).fillna(False)].drop_duplicates("job_id").error)]


def left_out_notes(manifest: dict[str, Any]) -> list[str]:
    """Return a note for each reason why rows are left out of jobs."""
    titles = {entry["variant"]: entry["title"] for entry in manifest["jobs"]}
    jobs: dict[tuple[str, str], list[str]] = {}
    for job, left_out in manifest.get("without", {}).items():
        for variant, reason in left_out.items():
            jobs.setdefault((reason, titles.get(variant, variant)), []).append(job)
    rows: dict[tuple[str, str], list[str]] = {}
    for (reason, title), names in jobs.items():
        rows.setdefault((", ".join(names), reason), []).append(title)
    return [f"Left out of {names} ({reason}): {', '.join(of)}." for (names, reason), of in rows.items()]


def _undeclared(columns: list[Column]) -> list[str]:
    """Return a warning for each metric whose unit neither a plug-in nor a record declares."""
    names = [c.quantity.name for c in columns if not c.quantity.unit and not is_declared(c.quantity.name)]
    return [f"{name}: no unit declared, shown as stored." for name in dict.fromkeys(names)]


def _ways(columns: list[Column], *, is_short: bool = False) -> list[str]:
    """Return notes with the protocol of each column; columns with images and equal protocols share a line.

    Args:
        columns: Columns of a summary.
        is_short: True to let all columns with equal protocols share a line.
    """
    shown = [column for column in columns if column.protocol and not column.is_delta]
    titles: dict[tuple[str, str], list[str]] = {}
    for column in shown:
        titles.setdefault((column.way, "" if column.dataset or is_short else column.key), []).append(
            column.quantity.title
        )
    notes = [f"{', '.join(names)}: {way}." for (way, _), names in titles.items()]
    if any(column.facets.preprocess for column in shown):
        notes.append(
            "preprocess=model: the images of each row have the size, crop, interpolation and normalisation "
            "of its own weights, which `lsbench show` names."
        )
    if any(column.remark == ALL_CLASSES for column in shown):
        notes.append(
            f"{ALL_CLASSES.strip(', ')}: predictions are among all classes of the model; the column before "
            "allows only those of the test set."
        )
    return notes


def _machines(rows: pd.DataFrame) -> list[str]:
    """Return notes on the machines of timings, with a warning if there is more than one kind of them.

    Hosts with the same GPU, or without one the same processor, are of one kind.
    """
    hosts: dict[tuple[str, str], dict[str, None]] = {}
    for text in rows.provenance.dropna().unique():
        where = json.loads(text)
        device = str(where.get("device_name") or where.get("cpu"))
        code = f"torch {where.get('torch')}, lsbench {where.get('lsbench')}"
        hosts.setdefault((device, code), {})[str(where.get("host"))] = None
    found = [f"{device} ({_few(list(names))}), {code}" for (device, code), names in hosts.items()]
    if len(found) > 1:
        return [f"{MACHINES}; do not compare them: {'; '.join(found)}."]
    return [f"Timed on {name}." for name in found]


def _few(names: list[str], most: int = 4) -> str:
    """Return names, the first few if there are many.

    >>> _few(["a", "b"]), _few(["a", "b", "c"], most=2)
    ('a, b', 'a, b and 1 more')
    """
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
