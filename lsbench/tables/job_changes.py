"""Explain a job's id: the inputs that differ from those of an earlier job with the same label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lsbench.core.counted import counted
from lsbench.core.errors import LsbenchError, StoreError, UsageError
from lsbench.core.job import WHERE_DATA_LIES, Job, JobSpec, job_identity
from lsbench.core.registry import JOBS, suggest
from lsbench.store.earlier import earlier_results
from lsbench.store.results import SPEC, ResultsFolder, read_json
from lsbench.store.standing import change_between, reason_of, standing_now
from lsbench.store.trials import history

FEWEST_DIGITS = 4
#: Status in the journal of a job that has no result in its folder -> its state.
ENDED_OTHERWISE = {
    "ok": "done before, but its folder is gone: `lsbench run` measures it again",
    "stopped": "stopped early by its search",
}


@dataclass(frozen=True)
class KnownJob:
    """A job of a results folder.

    Attributes:
        id: Its id; empty while the data that it reads is absent.
        label: ``variant/job`` and the seed where there is one.
        is_current: True if the current suite expects it; otherwise another job has taken its place.
        at: Start time; empty if it never started.
        job: All its settings; None if it never started.
        due: Why its result does not stand for the code of now; empty if it does.
    """

    folder: ResultsFolder
    id: str
    label: str
    is_current: bool
    at: str
    job: Job | None
    due: str = ""

    @property
    def place(self) -> str:
        """Suite and preset."""
        return self.folder.place

    def state(self) -> str:
        """Return its state as text, with the last error."""
        stale = "" if self.is_current else ", stale: the suite now expects another job in its place"
        return f"{self._plain_state()}{stale}"

    def _plain_state(self) -> str:
        if not self.id:
            return "no data: its id is known once the data that it reads is there"
        if self.folder.is_done(self.id):
            return f"due: {self.due}; `lsbench run` measures it again" if self.due else "done"
        if self.folder.is_running(self.id):
            return "running"
        line = self.folder.jobs().get(self.id, {})
        if line.get("status") in ENDED_OTHERWISE:
            past = history(self.folder.job_folder(self.id)) if line["status"] == "stopped" else []
            epochs = f" after epoch {past[-1]['epoch']} of {past[-1]['epochs']}" if past else ""
            return f"{ENDED_OTHERWISE[line['status']]}{epochs}{f'; due: {self.due}' if self.due else ''}"
        attempts = self.folder.attempts(self.id)
        error = line.get("error") or (attempts[-1].get("message") if attempts else None)
        if error:
            return f"failed after {counted(max(len(attempts), 1), 'attempt')}: {error}"
        return "not finished" if self.job else "waiting: it has not started"


def known_jobs(folder: ResultsFolder) -> list[KnownJob]:
    """Return every job that a folder expects or has ever started."""
    manifest = folder.manifest() or {"jobs": []}
    expected = [(str(entry["id"] or ""), str(entry["label"])) for entry in manifest["jobs"]]
    lines = folder.jobs()
    due = {
        name: reason
        for name, reason in standing_now(folder, manifest, lines).due(with_unfinished=True).items()
        if folder.is_done(name) or lines.get(name, {}).get("status") == "stopped"
    }
    started = (folder.root / "jobs").glob(f"*/{SPEC}")
    specs = {path.parent.name: _read_spec(folder, path.parent.name) for path in sorted(started)}
    ids = {name for name, _ in expected}
    stale = [(name, job.label) for name, job in specs.items() if name not in ids]
    found = []
    for name, label in [*expected, *stale]:
        line = lines.get(name, {})
        at = str(line.get("started_at") or line.get("ended_at") or "")
        found.append(KnownJob(folder, name, label, name in ids, at, specs.get(name), due.get(name, "")))
    return found


def _read_spec(folder: ResultsFolder, name: str) -> Job:
    path = folder.job_folder(name) / SPEC
    try:
        return Job.model_validate(read_json(path))
    except ValueError as error:
        line = str(error).splitlines()[0]
        raise StoreError(
            f"{path}: expected the settings of a job ({line}); remove the job's folder"
        ) from error


def find_job(asked: str, jobs: Iterable[KnownJob]) -> KnownJob:
    """Return the job with an id, the beginning of an id, or a label.

    Raises:
        UsageError: If no job or more than one matches; the message names the candidates.
    """
    known = list(jobs)
    of_label = [one for one in known if one.label == asked and one.is_current]
    of_id = [one for one in known if one.id == asked]
    of_start = [one for one in known if starts_id(one.id, asked)]
    hits = of_label or of_id or of_start
    if not hits:
        hint = suggest(asked, {name for one in known for name in (one.label, one.id) if name})
        raise UsageError(
            f"{asked}: no job has this label, or an id that starts like this{hint}; "
            "labels look like ls_conv/train/seed0, see `lsbench plan SUITE`"
        )
    if len({one.id for one in hits}) > 1:
        listed = "; ".join(f"{one.id} is {one.label} of {one.place}" for one in hits[:5])
        more = f"; and {len(hits) - 5} more" if len(hits) > 5 else ""
        raise UsageError(f"{asked}: matches {len(hits)} jobs, give more digits of the id: {listed}{more}")
    return hits[0]


def starts_id(name: str, asked: str) -> bool:
    """Return True if an id, with or without its kind, starts with `asked`."""
    digits = name.rpartition("-")[2]
    return name.startswith(asked) or (len(asked) >= FEWEST_DIGITS and digits.startswith(asked))


@dataclass(frozen=True)
class Change:
    """An input that differs between two jobs; None where a job lacks it."""

    name: str
    old: Any
    new: Any


def nearest_earlier(one: KnownJob, jobs: Iterable[KnownJob]) -> tuple[KnownJob, list[Change]] | None:
    """Return the earlier job with the same label and the fewest changed inputs, with those inputs.

    Args:
        one: A job that has started.
        jobs: All jobs of its folder.

    Returns:
        The latest of several equally near jobs; None if there is no other with this label.
    """
    if one.job is None:
        return None
    others = [
        (other, changes(other.job, one.job))
        for other in jobs
        if other.job is not None and other.label == one.label and other.id != one.id and other.at <= one.at
    ]
    others.sort(key=lambda pair: pair[0].at, reverse=True)
    return min(others, key=lambda pair: len(pair[1]), default=None)


def changes(old: Job, new: Job) -> list[Change]:
    """Return the inputs that can change a result and differ between two jobs."""
    before, after = (dict(_flat(_inputs(job))) for job in (old, new))
    names = dict.fromkeys([*before, *after])
    found = [Change(name, before.get(name), after.get(name)) for name in names]
    return [change for change in found if change.old != change.new]


def _inputs(job: Job) -> dict[str, Any]:
    """Return the inputs of a job's id that its folder records, with its needs by name."""
    try:
        settings: type[JobSpec] = JOBS.load(job.kind).spec
    except LsbenchError:
        settings = JobSpec  # the plug-in is not installed here
    data = {key: value for key, value in job.variant.dataset.items() if key not in WHERE_DATA_LIES}
    dataset = {"fingerprint": job.dataset_fingerprint, **data}
    return {**job_identity(job, dataset=dataset, settings=settings), "needs": job.needs}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def why_lines(one: KnownJob, jobs: Iterable[KnownJob], indent: str = "") -> Iterator[str]:
    """Yield a job's state, and the inputs that make its id differ from an earlier job's, as lines of text."""
    known = list(jobs)
    yield f"{indent}{one.id or 'no id yet'}: {one.label} of {one.place}: {one.state()}"
    if one.job is None:
        yield f"{indent}  its inputs are known once it has started; start it with `lsbench run`"
        return
    set_aside = list(_set_aside_lines(one, one.job, indent))
    yield from set_aside
    found = nearest_earlier(one, known)
    if found is None:
        if not (one.due or set_aside):
            yield f"{indent}  no earlier job has this label, so there is nothing to compare with"
        return
    earlier, changed = found
    yield f"{indent}  compared with {earlier.id} ({earlier.at or 'time unknown'}), {earlier.state()}:"
    yield from _change_lines(changed, known, f"{indent}    ")


def _set_aside_lines(one: KnownJob, job: Job, indent: str) -> Iterator[str]:
    """Yield the job's results of earlier code, with the files that changed since."""
    for place in earlier_results(one.folder, one.id):
        then = (read_json(place / SPEC) or {}).get("code") or {}
        both = [(plugin, then[plugin], files) for plugin, files in job.code.items() if plugin in then]
        told = reason_of(filter(None, (change_between(*one) for one in both))) or "it was measured again"
        yield f"{indent}  set aside in {place.relative_to(one.folder.root)}: {told}"


def _change_lines(changed: list[Change], known: list[KnownJob], indent: str) -> Iterator[str]:
    if not changed:
        yield f"{indent}no recorded input changed; another data set that it reads may have"
    by_id = {one.id: one.job for one in known}
    for change in changed:
        yield f"{indent}{change.name}: {_text(change.old)} -> {_text(change.new)}"
        old, new = by_id.get(str(change.old)), by_id.get(str(change.new))
        if change.name.startswith("needs.") and old is not None and new is not None:
            yield from _change_lines(changes(old, new), known, f"{indent}  ")


def _text(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
