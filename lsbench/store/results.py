"""A results folder: all files of one suite and preset, and their writers.

``result.json`` (the job's own last act) and ``attempts.jsonl`` (failures, by the driver) are the truth. The
driver appends from them to the journals ``jobs.jsonl`` and ``records.jsonl``, as their only writer; both
can be rebuilt.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from lsbench.core.atomic import (
    append_line,
    make_folder,
    remove_parts,
    write_json,
    write_text,
)
from lsbench.core.errors import StoreError
from lsbench.core.facets import Facets
from lsbench.core.lock import is_held
from lsbench.core.plain_text import make_visible
from lsbench.core.plain_warnings import warn
from lsbench.store.checks import OF_LINE, check_keys, check_manifest, check_result, check_schema
from lsbench.store.lines import (
    Lines,
    Parser,
    line_blocks,
    parsed,
    read_lines,
    remove_wrong_lines,
    unreadable,
)
from lsbench.store.version1 import facets_of_text

RESULT, SPEC, ATTEMPTS, LOG, LOCK = "result.json", "spec.json", "attempts.jsonl", "log.txt", ".lock"
#: In the folder of a job that runs where the folder is not seen: written anew before it is as old as this.
ALIVE, ALIVE_S = ".alive", 60.0
#: Of a run that goes on: its estimate for readers, a file by which nodes recognise the folder, and one that
#: tries whether it can be written. What another run has left of them, as it was killed, goes.
TIME_LEFT, MARK, PROBE = "time_left.json", ".shared-", ".probe-"
MANIFEST, JOBS, RECORDS = "manifest.json", "jobs.jsonl", "records.jsonl"
#: Start and end of the line of a successful job, as written by :meth:`ResultsFolder.add_job`.
_OK_LINE = re.compile(
    rb'\{"schema_version": ([12]), "job_id": "([\w-]+)", "status": "ok", (?:"code": (\{[^{}]*\}), )?.*\}'
)
#: Readable schema versions.
READ_VERSIONS = (1, 2)


class ResultsFolder:
    """The folder ``<results>/<suite>/<preset>``."""

    def __init__(
        self,
        root: Path,
        *,
        warn: Callable[[str], None] = warn,
        min_free_bytes: int = 200 * 2**20,
        shown_as: str | None = None,
    ) -> None:
        """Refer to a folder; nothing is created.

        Args:
            root: ``<results>/<suite>/<preset>``.
            warn: Receives one line for each harmless damage found while reading.
            min_free_bytes: Disk space below which no run starts.
            shown_as: Name of the suite for readers, if another folder holds a suite of the same name.
        """
        self.shown_as = shown_as
        self.min_free_bytes = min_free_bytes
        self.root = root
        self.warn = warn

    @property
    def names(self) -> tuple[str, str]:
        """Suite and preset as the manifest names them, or the folders if it is missing or damaged."""
        try:
            manifest = self.manifest()
        except StoreError:
            manifest = None
        found = manifest or {"suite": self.root.parent.name, "preset": self.root.name}
        return found["suite"], found["preset"]

    @property
    def place(self) -> str:
        """Suite and preset, for people."""
        return f"{self.shown_as or self.root.parent.name} ({self.root.name})"

    @property
    def lock_file(self) -> Path:
        """The lock file of the driver."""
        return self.root / LOCK

    def job_folder(self, job_id: str) -> Path:
        """Return the folder of a job."""
        return self.root / "jobs" / job_id

    def job_lock_file(self, job_id: str) -> Path:
        """Return the lock file that the process of a job holds while it runs."""
        return self.job_folder(job_id) / LOCK

    def is_running(self, job_id: str) -> bool:
        """Return whether a job runs.

        Its process holds the lock of the job's folder or, on a node that does not see it, says that it lives.
        """
        return is_held(self.job_lock_file(job_id)) or self._age_of(self.job_folder(job_id) / ALIVE) < ALIVE_S

    @staticmethod
    def _age_of(path: Path) -> float:
        """Return the seconds since a file was written; infinity if there is none."""
        try:
            return time.time() - path.stat().st_mtime
        except OSError:
            return float("inf")

    def begun(self) -> frozenset[str]:
        """Return the ids of the jobs that have a folder, with one listing, since there may be thousands."""
        try:
            return frozenset(os.listdir(self.root / "jobs"))
        except OSError:
            return frozenset()

    def create(self) -> None:
        """Create the folder and check that it is writable.

        Raises:
            StoreError: If it is not, or the disk is nearly full.
        """
        try:
            make_folder(self.root / "jobs")
            probe = self.root / f"{PROBE}{os.getpid()}"
            probe.write_text("ok")
            probe.unlink(missing_ok=True)
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
        """Write the list of expected jobs and the resolved suite, which that list implies."""
        write_text(self.root / "suite.yaml", suite_yaml)
        write_json(self.root / MANIFEST, manifest)

    def manifest(self) -> dict[str, Any] | None:
        """Return the manifest, or None if there is none yet.

        Raises:
            StoreError: If it is damaged, lacks something, or a newer lsbench wrote it.
        """
        path = self.root / MANIFEST
        manifest = read_json(path)
        if manifest is not None:
            check_manifest(manifest, str(path))
            for texts in (manifest, *manifest["jobs"]):
                make_visible(texts)
            manifest["suite"] = self.shown_as or manifest["suite"]
        return manifest

    def result(self, job_id: str) -> dict[str, Any] | None:
        """Return the result that the job wrote as its last act, or None if it is not done.

        Raises:
            StoreError: If it is damaged, lacks something, or a newer lsbench wrote it.
        """
        path = self.job_folder(job_id) / RESULT
        result = read_json(path)
        if result is not None:
            check_result(result, str(path))
        return result

    def is_done(self, job_id: str) -> bool:
        """Return whether the job has a result."""
        return os.path.exists(os.path.join(self.root, "jobs", job_id, RESULT))

    def add_attempt(self, job_id: str, attempt: dict[str, Any]) -> None:
        """Append an attempt at a job that failed; of the one that did not, its result tells."""
        folder = self.job_folder(job_id)
        make_folder(folder)
        append_line(folder / ATTEMPTS, [attempt])

    def attempts(self, job_id: str) -> list[dict[str, Any]]:
        """Return the failed attempts made at a job, oldest first; earlier versions wrote all attempts."""
        found = read_lines(self.job_folder(job_id) / ATTEMPTS, warn=self.warn)
        for attempt in found:
            make_visible(attempt)
        return found

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return the last line of ``jobs.jsonl`` for each job id.

        Raises:
            StoreError: If a line before the last is damaged or lacks something, or a newer lsbench wrote it.
        """
        return self._last_lines(parsed)

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the same as :meth:`jobs`, but only status and code of successful jobs, which is faster.

        Raises:
            StoreError: As :meth:`jobs`; settings in the lines are not checked.
        """
        return self._last_lines(_parsed_states)

    def _last_lines(self, parse: Parser) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for lines in line_blocks(self.root / JOBS, warn=self.warn, parse=parse):
            for number, line in enumerate(lines.values):
                if not {"job_id", "status"} <= line.keys() or line.get("schema_version") not in READ_VERSIONS:
                    check_schema(line, lines.place(number))
                    check_keys(line, OF_LINE, lines.place(number))
                if "error" in line:
                    make_visible(line)
                found[line["job_id"]] = line
        return found

    def records(self) -> list[dict[str, Any]]:
        """Return all records, one per (job, metric, dataset, protocol)."""
        lines = (line for block in self.record_blocks() for line in block.values)
        return list({record_key(line): line for line in lines}.values())

    def record_blocks(self, start: int = 0) -> Iterator[Lines]:
        """Yield the lines of ``records.jsonl`` after `start` bytes in blocks; a record may occur twice."""
        return line_blocks(self.root / RECORDS, warn=self.warn, start=start)

    def add_job(self, line: dict[str, Any], records: list[dict[str, Any]]) -> None:
        """Append a finished or failed job and its records."""
        self.add_jobs([(line, records)])

    def add_jobs(self, ended: Sequence[tuple[dict[str, Any], list[dict[str, Any]]]]) -> None:
        """Append finished or failed jobs and their records, the records first, so that a job implies them."""
        if records := [record for _, records in ended for record in records]:
            append_line(self.root / RECORDS, records)
        if ended:
            append_line(self.root / JOBS, [line for line, _ in ended])

    def reconcile(self, only: Collection[str] | None = None) -> int:
        """Append the results of finished jobs that the journals lack; return the number of jobs added.

        Args:
            only: Ids of the jobs to look at; all by default.

        A driver killed between a job's last act and the journal loses nothing, and nothing is
        written twice. Lines that do not match their checksums are removed first, and so replaced, and so is
        what a killed driver has left beside its results, as files that are written half.
        """
        remove_parts(self.root)
        for pattern in (TIME_LEFT, f"{MARK}*", f"{PROBE}*"):
            for path in self.root.glob(pattern):
                path.unlink(missing_ok=True)
        heard: list[str] = []
        reader = ResultsFolder(self.root, warn=heard.append)
        ok = {name: line for name, line in reader.jobs().items() if line["status"] == "ok"}
        recorded = {record_key(record): record for record in reader.records()}
        for message in heard:
            self.warn(message)
        if heard:
            only = None  # the lines that are removed may be of any job
            for name in (JOBS, RECORDS):
                remove_wrong_lines(self.root / name)
        added = 0
        folder = self.root / "jobs"
        for name in sorted(os.listdir(folder)) if folder.is_dir() else []:
            result = self.result(name) if only is None or name in only else None
            if result is None:
                continue
            missing = [r for r in result["records"] if recorded.get(record_key(r)) != r]
            line = result["job"]
            is_known = name in ok and ok[name].get("started_at") == line.get("started_at")
            added += self._add_missing(line, missing, is_known=is_known)
        return added

    def _add_missing(self, line: dict[str, Any], records: list[dict[str, Any]], *, is_known: bool) -> bool:
        """Append what the journals lack of a finished job; return whether that is anything."""
        if is_known and records:
            append_line(self.root / RECORDS, records)
        elif not is_known:
            self.add_job(line, records)
        return bool(records) or not is_known


def begin_job(folder: Path, spec: str) -> None:
    """Make the folder of a job that is about to start, and write its settings there.

    Args:
        folder: The job's folder.
        spec: The text of its ``spec.json``.

    Raises:
        DiskFullError: If there is no room.
    """
    # The job's result is written into the same folder, and that syncs its entries.
    write_text(folder / SPEC, spec, syncs_entry=False)


def _parsed_states(lines: list[bytes]) -> list[dict[str, Any]] | None:
    """Return the values of lines, shortened for successful jobs; None if any is damaged."""
    found: list[dict[str, Any]] = []
    for line in lines:
        if ended_well := _OK_LINE.fullmatch(line):
            name = ended_well[2].decode()
            state = {"schema_version": int(ended_well[1]), "job_id": name, "status": "ok"}
            found.append(state if ended_well[3] is None else {**state, "code": _parsed_code(ended_well[3])})
            continue
        values = parsed([line])
        if values is None:
            return None
        found += values
    return found


@lru_cache
def _parsed_code(text: bytes) -> dict[str, str]:
    """Return the hashes of the code of plug-ins, which many jobs share."""
    code: dict[str, str] = json.loads(text)
    return code


def record_key(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return the key that makes a record unique."""
    return record["job_id"], record["metric"], record["dataset"], record["protocol"]


def facets_of(record: Mapping[str, Any]) -> Facets:
    """Return the facets of a stored record, whatever version of lsbench wrote it.

    Raises:
        ValueError: If this version does not know its facets.
    """
    told = record.get("facets")
    return facets_of_text(record["protocol"]) if told is None else Facets.model_validate(told)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the mapping in a JSON file, or None if there is no file.

    Raises:
        StoreError: If it holds no JSON mapping, or cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("not a mapping")
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path}: damaged ({error}); remove it and run again") from error
    except OSError as error:
        raise unreadable(path, error) from error
    return content
