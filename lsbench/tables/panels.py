"""The stored arrays of an analysis, one panel per variant, for pictures side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsbench.core.globs import matches
from lsbench.core.panel import RANDOM, ModelPanel, has_random_weights
from lsbench.core.registry import ANALYSES
from lsbench.store.job_files import read_arrays
from lsbench.store.results import ResultsFolder
from lsbench.store.thumbnails import read_spec
from lsbench.tables.analyses import KIND
from lsbench.tables.frames.load import load_table
from lsbench.tables.view import check_globs, listed_globs

#: Mixers in the order of the paper's supplement, Figure 1; other variants come after them.
PAPER_ORDER = ("rep_mixer", "cga", "ls_conv", "without_lkp")
#: The folder of composed figures in a results folder.
FIGURES = "figures"
NO_ARRAYS = "this result holds no arrays: run it again with --rerun"
OK = "ok"
_COLUMNS = (
    *("job_id", "variant", "title", "job", "mixer", "seed", "status", "error", "protocol"),
    *("weights", "setting"),
)


@dataclass(frozen=True)
class Panels:
    """The panels of one analysis.

    Attributes:
        shown: The panels, in the paper's order.
        left_out: A line for each reason why variants have no panel, with their titles.
        notes: Lines on what the panels are of.
    """

    shown: list[ModelPanel] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_panels(folder: ResultsFolder, analysis: str, variants: Sequence[str] = ()) -> Panels:
    """Return the panels of an analysis, of the lowest seed that all of them have.

    Args:
        folder: A results folder.
        analysis: Name of the analysis.
        variants: Globs of names or titles, or several with commas; empty for all variants.

    Raises:
        StoreError: If a file is damaged.
        UsageError: If a glob matches no variant that has such an analysis.
    """
    rows = _jobs(folder, analysis)
    if rows and variants:
        rows = _chosen(rows, variants)
    able = [job["job_id"] for job in rows if job["status"] == OK and not _missing(job)]
    files = {name: folder.job_folder(name) / f"{analysis}.npz" for name in able}
    ready = {name for name, path in files.items() if path.is_file()}
    groups = _by_row(rows)
    seeds = [{job["seed"] for job in jobs if job["job_id"] in ready} for jobs in groups.values()]
    common = set.intersection(*filter(None, seeds)) if any(seeds) else set()
    found, chosen, left_out = Panels(), list[dict[str, Any]](), dict[str, list[str]]()
    for title, jobs in groups.items():
        usable = [job for job in jobs if job["job_id"] in ready and (job["seed"] in common or not common)]
        if usable:
            chosen.append(first := min(usable, key=lambda job: job["seed"]))
            found.shown.append(_panel(folder, analysis, title, first, files[first["job_id"]]))
        else:
            left_out.setdefault(_reason(jobs), []).append(title)
    found.left_out.extend(f"{', '.join(titles)}: {reason}" for reason, titles in left_out.items())
    found.notes.extend(_notes(folder, chosen, found.shown))
    return found


def _chosen(rows: list[dict[str, Any]], variants: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of variants, chosen as in a table."""
    named = [(row["variant"], row["title"]) for row in rows]
    globs = listed_globs(variants, named)
    check_globs("--rows", globs, named)
    return [
        row
        for row, names in zip(rows, named, strict=True)
        if any(matches(n, g) for n in names for g in globs)
    ]


def _jobs(folder: ResultsFolder, analysis: str) -> list[dict[str, Any]]:
    """Return the jobs of an analysis in the paper's order, with what the long table tells of each."""
    table = load_table([folder])
    is_asked = (table.method == analysis) | (table.method.isna() & (table.job == analysis))
    table = table[(table.kind == KIND) & is_asked.fillna(False)].drop_duplicates(["variant", "job", "seed"])
    columns = table[list(_COLUMNS)].astype(object).where(table[list(_COLUMNS)].notna(), None)
    rows = [{str(key): value for key, value in row.items()} for row in columns.to_dict("records")]
    return sorted(rows, key=lambda row: _place(row["mixer"]))


def _place(mixer: str | None) -> int:
    return PAPER_ORDER.index(mixer) if mixer in PAPER_ORDER else len(PAPER_ORDER)


def _by_row(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return title -> the jobs of each seed; the title names the job if a variant has several."""
    names: dict[str, set[str]] = {}
    for row in rows:
        names.setdefault(row["variant"], set()).add(row["job"])
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        title = row["title"] if len(names[row["variant"]]) == 1 else f"{row['title']}, {row['job']}"
        found.setdefault(title, []).append(row)
    return found


def _missing(job: dict[str, Any]) -> str:
    """Return why the analysis does not apply to the model; empty if it does."""
    setting = json.loads(job["setting"] or "{}")
    return str(setting.get("missing") or "")


def _reason(jobs: list[dict[str, Any]]) -> str:
    """Return why none of a variant's jobs gives a panel."""
    first = next((job for job in jobs if job["status"] == OK), jobs[0])
    if first["status"] != OK:
        return f"{first['status']}, {first['error']}" if first["error"] else str(first["status"])
    return _missing(first) or NO_ARRAYS


def _panel(folder: ResultsFolder, analysis: str, title: str, job: dict[str, Any], path: Path) -> ModelPanel:
    variant = (read_spec(folder, job["job_id"]) or {}).get("variant", {})
    # The weights of a backbone alone make no detector or segmenter.
    named = variant.get("model_args") if ANALYSES.load(analysis).task == "classification" else None
    is_random = has_random_weights(job["weights"], named or {})
    return ModelPanel(title, read_arrays(path) or {}, is_random)


def _notes(folder: ResultsFolder, jobs: list[dict[str, Any]], panels: list[ModelPanel]) -> list[str]:
    """Return lines on the seed, random weights, settings that differ, and runs that are no evidence."""
    manifest = folder.manifest() or {"tags": [], "preset": ""}
    titles = [panel.title for panel in panels]
    notes = _per_value("seed", [str(job["seed"]) for job in jobs], titles)
    protocols = [str(job["protocol"]) for job in jobs]
    notes += _per_value("protocol", protocols, titles)
    if random := [panel.title for panel in panels if panel.is_random]:
        notes.append(f"{RANDOM}: {', '.join(random)}")
    if "smoke" in manifest["tags"]:
        notes.append("a smoke test: this only shows that everything runs")
    if "+" in manifest["preset"]:
        notes.append(f"run with overrides ({manifest['preset']}): not comparable with other figures")
    return notes


def _per_value(name: str, values: list[str], titles: list[str]) -> list[str]:
    """Return one line: the value of all, or each value with those that have it.

    >>> _per_value("seed", ["0", "0"], ["A", "B"]), _per_value("seed", ["0", "1"], ["A", "B"])
    (['seed 0'], ['different values of seed: 0 (A); 1 (B)'])
    """
    of_value: dict[str, list[str]] = {}
    for value, title in zip(values, titles, strict=True):
        of_value.setdefault(value, []).append(title)
    if len(of_value) < 2:
        return [f"{name} {value}" for value in of_value]
    told = (f"{value} ({', '.join(owners)})" for value, owners in of_value.items())
    return [f"different values of {name}: {'; '.join(told)}"]
