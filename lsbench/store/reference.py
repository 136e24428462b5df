"""Reference results: finished results that ship with lsbench, to compare one's own with.

They are named ``reference:SUITE`` and lie in ``results/reference`` of a checkout, or in the installed
package. They stand for the release that made them: they name no code, so no later change makes them due.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lsbench.core.atomic import append_line, atomic_folder, write_json, write_text
from lsbench.core.errors import NothingMeasuredError, UsageError
from lsbench.core.registry import PACKAGE_ROOT, suggest
from lsbench.store.job_files import HEADS, PREDICTIONS, read_arrays
from lsbench.store.results import JOBS, MANIFEST, RECORDS, ResultsFolder
from lsbench.store.standing import PLUGINS, standing_now

PREFIX = "reference:"
#: Folders of the shipped references: of an installation, and of a checkout.
SHIPPED = (PACKAGE_ROOT / "reference_results", PACKAGE_ROOT.parent / "results" / "reference")
SUITE_FILE = "suite.yaml"
#: What is kept of the answers to each image: which class was given, whether it was right, and of what images.
KEPT_ARRAYS = ("targets", "predictions", "score_top1", "score_top5")
#: What tells who measured, rather than on what.
PRIVATE = {"host": "reference"}


def references() -> dict[str, Path]:
    """Return the folder of each suite that has reference results, by its name."""
    found: dict[str, Path] = {}
    for place in SHIPPED:
        if place.is_dir():
            for folder in sorted(path for path in place.iterdir() if path.is_dir()):
                found.setdefault(folder.name, folder)
    return found


def reference_folder(asked: str) -> Path | None:
    """Return the folder of ``reference:SUITE``, or None if `asked` names no reference.

    Raises:
        UsageError: If there is no such reference.
    """
    if not asked.startswith(PREFIX):
        return None
    known, name = references(), asked.removeprefix(PREFIX)
    if name not in known:
        listed = ", ".join(f"{PREFIX}{one}" for one in known) or "none"
        raise UsageError(f"{asked}: no such reference results{suggest(name, known)}; there are: {listed}")
    return known[name]


def is_reference(folder: Path) -> bool:
    """Return whether a folder belongs to reference results, which are only read."""
    return any(place in folder.parents for place in SHIPPED)


def keep_reference(folder: ResultsFolder, target: Path) -> int:
    """Copy finished results without what can be made again; return the number of bytes.

    Kept are the list of jobs, the resolved suite, the journals without the name of the machine, and of each
    evaluation the class that was given to each image. Weights, logs, raw timings and caches are not.

    Args:
        folder: Finished results of one suite and preset.
        target: The folder to write; one that is there is replaced.

    Raises:
        NothingMeasuredError: If a job has not succeeded, or its code has changed since.
        StoreError: If a file is damaged.
    """
    manifest = folder.manifest() or {}
    jobs = folder.jobs()
    expected = [entry["id"] for entry in manifest.get("jobs", [])]
    due = standing_now(folder, manifest).due()
    open_jobs = [one for one in expected if jobs.get(one, {}).get("status") != "ok" or one in due]
    if open_jobs or not expected:
        raise NothingMeasuredError(
            f"{folder.root}: {len(open_jobs)} of {len(expected)} jobs are not done; `lsbench run` does them"
        )
    lines = [_without_owner(jobs[one]) for one in expected]
    wanted = {*expected}
    records = [_plain(record) for record in folder.records() if record["job_id"] in wanted]
    with atomic_folder(target) as new:
        write_json(new / MANIFEST, {key: value for key, value in manifest.items() if key != PLUGINS})
        write_text(new / SUITE_FILE, (folder.root / SUITE_FILE).read_text("utf-8"))
        append_line(new / RECORDS, records)
        append_line(new / JOBS, lines)
        for one, content in _answers(folder, expected):
            place = new / "jobs" / one / PREDICTIONS
            place.parent.mkdir(parents=True)
            place.write_bytes(content)
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def _plain(line: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != "crc32"}


def _without_owner(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line of a job without the name of its machine and the hashes of its code."""
    kept = {key: value for key, value in _plain(line).items() if key != "code"}
    provenance = kept.get("provenance") or {}
    return {**kept, "provenance": {key: PRIVATE.get(key, value) for key, value in provenance.items()}}


def _answers(folder: ResultsFolder, jobs: list[str]) -> Iterator[tuple[str, bytes]]:
    import numpy as np

    names = [f"{head}{name}" for head in HEADS for name in KEPT_ARRAYS]
    for one in jobs:
        arrays = read_arrays(
            folder.job_folder(one) / PREDICTIONS, ["images_sha256"], optional=["classes", "titles", *names]
        )
        if arrays is None:
            continue
        for name, values in arrays.items():
            if name.endswith(("targets", "predictions")) and values.max(initial=0) <= np.iinfo(np.uint8).max:
                arrays[name] = values.astype(np.uint8)
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **arrays)
        yield one, content.getvalue()
