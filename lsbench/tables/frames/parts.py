"""The expected jobs of a results folder, joined with their records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsbench.core.plugin_code import is_own
from lsbench.store.damage import read_each
from lsbench.store.early import read_early
from lsbench.store.results import ResultsFolder
from lsbench.store.standing import DUE, PLUGINS, RUNNING, WAITING, Standing, standing_now
from lsbench.tables.frames.cache import Records
from lsbench.tables.frames.ways import Part

#: Before the id of an unfinished job in the frame of records, as the journal may hold older ones of it.
EARLY_MARK = "early:"
_OF_JOB = ("id", "kind", "variant", "title", "mixer", "model", "seed", "dataset", "name")


class OpenResults:
    """A results folder whose files are read lazily, each once.

    Attributes:
        manifest: The folder's manifest; without one, no job is expected.
    """

    def __init__(
        self, folder: ResultsFolder, manifest: dict[str, Any] | None = None, *, keeps_due: bool = False
    ) -> None:
        """Read the manifest.

        Args:
            folder: The results folder.
            manifest: Its manifest, if it has been read already.
            keeps_due: Whether results of earlier code are shown as any other.
        """
        self._folder, self._keeps_due = folder, keeps_due
        self.manifest = manifest or folder.manifest() or {"suite": "", "preset": "", "jobs": []}

    @cached_property
    def _lines(self) -> dict[str, dict[str, Any]]:
        return self._folder.jobs()

    @cached_property
    def _standing(self) -> Standing | None:
        return None if self._keeps_due else standing_now(self._folder, self.manifest, self._lines)

    @cached_property
    def jobs(self) -> pd.DataFrame:
        """One row per entry of the manifest, in order, with the job's last line of the journal.

        Jobs whose result does not stand for the code of now have the status ``due``, and the reason as error;
        those that run have the status ``running``.
        """
        found = dict(self._lines)
        due = {} if self._standing is None else self._standing.due()
        found |= {name: {**found[name], "status": DUE, "error": due[name]} for name in due if name in found}
        entries = self.manifest["jobs"]
        lines = [found.get(entry["id"], {}) for entry in entries]
        columns: dict[str, list[Any]] = {key: [entry[key] for entry in entries] for key in _OF_JOB}
        columns["status"] = [
            self._status(entry["id"], line) for entry, line in zip(entries, lines, strict=True)
        ]
        columns["attempt"] = [line.get("attempts", 1 if line else None) for line in lines]
        columns |= {key: [line.get(key) for line in lines] for key in ("error", "started_at", "wall_s")}
        columns["lines"] = lines
        return pd.DataFrame(columns, dtype="object")

    def _status(self, job_id: str | None, line: Mapping[str, Any]) -> str:
        status = str(line.get("status", WAITING))
        return RUNNING if status != "ok" and job_id and self._folder.is_running(job_id) else status

    def mixtures(self) -> list[str]:
        """Return one line for each variant with results of several states of the code of one plug-in.

        This can only be where the plug-in is not installed, or some results do not tell their code.
        """
        plugins = self.manifest.get(PLUGINS) or {}
        found: dict[tuple[str, str], set[str | None]] = {}
        done = self.jobs[self.jobs.status == "ok"]
        for name, variant, line in zip(done.id, done.variant, done.lines, strict=True):
            stored = line.get("code") or {}
            for plugin in plugins.get(name, ()):
                if not is_own(plugin):
                    found.setdefault((variant, plugin), set()).add(stored.get(plugin))
        return [
            f"{variant}: its results are of {len(states)} states of the code of {plugin}"
            f"{', one of them unknown' if None in states else ''}; do not compare them."
            for (variant, plugin), states in found.items()
            if len(states) > 1
        ]

    @cached_property
    def early(self) -> dict[str, dict[str, Any]]:
        """Job id -> what the job has kept before its end; of unfinished jobs, and by the code of now."""
        unfinished = self.jobs.id[~self.jobs.status.isin(["ok", DUE])].dropna().unique()
        found = read_early(self._folder, unfinished)
        standing = self._standing
        if standing is None:
            return found
        return {name: kept for name, kept in found.items() if not standing.changes_since(name, kept["job"])}

    @cached_property
    def records(self) -> Records:
        """The records of the folder, followed by those of unfinished jobs under marked ids."""
        further = [
            {**record, "job_id": EARLY_MARK + name}
            for name, kept in self.early.items()
            for record in kept["records"]
        ]
        return Records(self._folder, further)

    def joined(
        self, part: Part, columns: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], pd.DataFrame]:
        """Return the join of jobs with the records of a part.

        Returns:
            Positions in `jobs` and in the frame of records, one of each for every record of a successful job
            and every one that an unfinished job has kept, in the order of the manifest; variants that share a
            job all get its records. Then the frame of records with the given columns.
        """
        records = self.records.part(part, list(dict.fromkeys(("job_id", *columns))))
        codes = records.job_id.cat.codes.to_numpy()
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(records.job_id.cat.categories) + 1))
        is_early = self.jobs.id.isin([*self.early]).to_numpy(bool)
        names = self.jobs.id.where(~is_early, EARLY_MARK + self.jobs.id.astype(str))
        known = records.job_id.cat.categories.get_indexer(pd.Index(names, dtype="object"))
        is_read = (known >= 0) & ((self.jobs.status == "ok").to_numpy(bool) | is_early)
        counts = np.where(is_read, np.diff(starts)[known] if len(starts) > 1 else 0, 0)
        jobs = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(jobs)) - np.repeat(np.cumsum(counts) - counts, counts)
        first = starts[known] if len(starts) else known
        return jobs, order[np.repeat(first, counts) + within], records

    def constants(self) -> dict[str, str]:
        """Return the columns that are equal in every row."""
        return {"suite": self.manifest["suite"], "preset": self.manifest["preset"]}


def read_all(
    folders: Iterable[ResultsFolder],
    columns: Mapping[str, str],
    frame_of: Callable[[OpenResults], pd.DataFrame],
    *,
    keeps_due: bool = False,
) -> pd.DataFrame:
    """Return the frames of several results folders as one, with the given columns and pandas types.

    A damaged folder is left out with a warning, unless all are.

    Raises:
        StoreError: If all are damaged.
    """

    def read(folder: ResultsFolder) -> pd.DataFrame:
        return frame_of(OpenResults(folder, keeps_due=keeps_due)).astype(dict(columns))

    frames = read_each(folders, read)
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return pd.DataFrame(columns=list(columns)).astype(dict(columns))
    return pd.concat(frames, ignore_index=True)


def part_frame(
    opened: OpenResults, part: Part, columns: Sequence[str], own: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the records of a part with their jobs; text columns are categorical.

    Args:
        opened: The opened results folder.
        part: The part.
        columns: The frame's columns: of the suite, the job or the record.
        own: Additional columns, one value per job.
    """
    of_job = {*opened.constants(), *own, "seed", "variant", "title"}
    jobs, rows, records = opened.joined(part, [name for name in columns if name not in of_job])
    constants = opened.constants()
    frame: dict[str, Any] = {}
    for name in columns:
        if name in constants:
            frame[name] = pd.Categorical([constants[name]])[np.zeros(len(jobs), np.int64)]
        elif name in own:
            frame[name] = pd.array(own[name], dtype="Float64")[jobs]
        elif name == "seed":
            frame[name] = pd.array(opened.jobs.seed.tolist(), dtype="Int64")[jobs]
        elif name in ("variant", "title"):
            frame[name] = pd.Categorical(opened.jobs[name])[jobs]
        else:
            frame[name] = records[name].array[rows]
    return pd.DataFrame(frame)


def to_json(values: Mapping[str, Any]) -> str:
    """Return a mapping as JSON with sorted keys, so that equal mappings give equal text."""
    return json.dumps(values, sort_keys=True)
