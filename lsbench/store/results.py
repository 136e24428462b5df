"""A results folder: where everything of one suite and preset lies, and who writes what.

``result.json`` (the job's own last act) and ``attempts.jsonl`` (the driver's) are the truth. The
journals ``jobs.jsonl`` and ``records.jsonl`` are appended from them by the driver, their only
writer, and can be rebuilt.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsbench.core.errors import StoreError
from lsbench.store.atomic import append_line, read_lines, write_json, write_text

RESULT, SPEC, ATTEMPTS, LOG = "result.json", "spec.json", "attempts.jsonl", "log.txt"


def warn_user(message: str) -> None:
    """Show a warning of the store."""
    warnings.warn(message, stacklevel=3)


class ResultsFolder:
    """The folder ``<results>/<suite>/<preset>``."""

    def __init__(
        self, root: Path, *, warn: Callable[[str], None] = warn_user, min_free_bytes: int = 200 * 2**20
    ) -> None:
        """Name the folder; nothing is created.

        Args:
            root: ``<results>/<suite>/<preset>``.
            warn: Receives one line per harmless damage found while reading.
            min_free_bytes: Disk space below which no run starts.
        """
        self.min_free_bytes = min_free_bytes
        self.root = root
        self.warn = warn

    @property
    def lock_file(self) -> Path:
        """The lock that a driver holds."""
        return self.root / ".lock"

    def job_folder(self, job_id: str) -> Path:
        """Return the folder of one job."""
        return self.root / "jobs" / job_id

    def create(self) -> None:
        """Create the folder and prove that it can be written.

        Raises:
            StoreError: If it cannot, or the disk is nearly full.
        """
        try:
            (self.root / "jobs").mkdir(parents=True, exist_ok=True)
            probe = self.root / f".probe-{os.getpid()}"
            probe.write_text("ok")
            probe.unlink()
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(
                f"{self.root}: the results folder cannot be written ({reason}); "
                "choose another with --results DIR"
            ) from error
        free = shutil.disk_usage(self.root).free
        if free < self.min_free_bytes:
            raise StoreError(
                f"{self.root}: only {free / 2**20:.0f} MiB are free on this disk; "
                "make room or choose another with --results DIR"
            )

    def write_manifest(self, manifest: dict[str, Any], suite_yaml: str) -> None:
        """Write every expected job and the suite as resolved."""
        write_json(self.root / "manifest.json", manifest)
        write_text(self.root / "suite.yaml", suite_yaml)

    def manifest(self) -> dict[str, Any] | None:
        """Return the manifest, or None if there is none yet.

        Raises:
            StoreError: If it is damaged.
        """
        return read_json(self.root / "manifest.json")

    def result(self, job_id: str) -> dict[str, Any] | None:
        """Return what the job wrote as its last act, or None if it is not done."""
        return read_json(self.job_folder(job_id) / RESULT)

    def is_done(self, job_id: str) -> bool:
        """Return whether the job has a result."""
        return (self.job_folder(job_id) / RESULT).exists()

    def add_attempt(self, job_id: str, attempt: dict[str, Any]) -> None:
        """Note how one attempt at a job ended."""
        folder = self.job_folder(job_id)
        folder.mkdir(parents=True, exist_ok=True)
        append_line(folder / ATTEMPTS, [attempt])

    def attempts(self, job_id: str) -> list[dict[str, Any]]:
        """Return the attempts made at a job, oldest first."""
        return read_lines(self.job_folder(job_id) / ATTEMPTS, warn=self.warn)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return the last line of ``jobs.jsonl`` for each job id."""
        lines = read_lines(self.root / "jobs.jsonl", warn=self.warn)
        return {line["job_id"]: line for line in lines}

    def records(self) -> list[dict[str, Any]]:
        """Return all records, one per (job, metric, dataset, protocol)."""
        lines = read_lines(self.root / "records.jsonl", warn=self.warn)
        return list({record_key(line): line for line in lines}.values())

    def add_job(self, line: dict[str, Any], records: list[dict[str, Any]]) -> None:
        """Append a finished or failed job and its records; records first, so that a job implies them."""
        if records:
            append_line(self.root / "records.jsonl", records)
        append_line(self.root / "jobs.jsonl", [line])

    def reconcile(self) -> int:
        """Append what finished jobs wrote that the journals lack; return the number of jobs added.

        A driver killed between a job's last act and the journal loses nothing, and nothing is
        written twice.
        """
        known = {name for name, line in self.jobs().items() if line["status"] == "ok"}
        recorded = {record_key(record) for record in self.records()}
        added = 0
        folder = self.root / "jobs"
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            result = self.result(path.name)
            if result is None:
                continue
            missing = [r for r in result["records"] if record_key(r) not in recorded]
            if missing or path.name not in known:
                self.add_job(result["job"], missing)
                added += 1
        return added


def record_key(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return what makes a record unique."""
    return record["job_id"], record["metric"], record["dataset"], record["protocol"]


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the mapping in a JSON file, or None if there is no file.

    Raises:
        StoreError: If it holds no JSON.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StoreError(f"{path}: damaged ({error}); remove it and run again") from error
    return content


def find_results(results: Path, suite: str | None = None) -> list[ResultsFolder]:
    """Return the results folders below `results`, of one suite or of all, sorted by name."""
    pattern = f"{suite or '*'}/*/manifest.json"
    return [ResultsFolder(path.parent) for path in sorted(results.glob(pattern))]
