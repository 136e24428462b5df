"""The driver's account of a search: every trial, its settings and its state.

The folders of the trials are the truth: ``result.json`` means trained to the end. Trials that were
stopped early or failed are in ``trials.jsonl``, which only the driver writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lsbench.core.job import Job, JobKind
from lsbench.core.record import SCHEMA_VERSION
from lsbench.core.registry import JOBS
from lsbench.scheduler.driver import now
from lsbench.scheduler.headline import number_words
from lsbench.scheduler.protocol import Watcher
from lsbench.scheduler.retry import one_line
from lsbench.store.earlier import set_aside
from lsbench.store.results import ResultsFolder, facets_of, read_json
from lsbench.store.standing import Standing
from lsbench.store.trials import (
    FAILURE,
    add_trial,
    history,
    read_epochs,
    read_schedule,
    read_search,
    read_trials,
    write_search,
)
from lsbench.suite.graph import JobGraph
from lsbench.suite.planner import Plan
from lsbench.suite.space import Search
from lsbench.suite.trials import Found, Settings, search_id, trial_job, trials_graph

ENDED = ("ok", "stopped", "failed")
#: Errors caused by a trial's settings: a retry would fail again.
FINAL_ERRORS = ("diverged", "ArithmeticError")


@dataclass
class Trial:
    """One trial; its job is None until its settings are known.

    Attributes:
        state: ``waiting``, ``ok``, ``stopped`` or ``failed``.
        known_epochs: Epochs trained in an earlier run; they are reported again, but not shown again.
    """

    number: int
    settings: Settings | None = None
    job: Job | None = None
    state: str = "waiting"
    known_epochs: int = 0


class TrialBook:
    """Every trial of every variant."""

    def __init__(self, folder: ResultsFolder, search: Search, templates: dict[str, Job]) -> None:
        """Create the account of a search; nothing is read or written.

        `due` will hold the trials, by id, that earlier code trained, with the reason: they are trained again.

        Args:
            folder: Folder for results; this driver holds its lock.
            search: The search.
            templates: Variant -> its job at the suite's settings.
        """
        self.folder, self.search, self.templates = folder, search, templates
        self.metric_key = _kind(templates).epoch_metrics[search.metric]
        self.ids = {variant: search_id(search, job) for variant, job in templates.items()}
        self.trials = {variant: [Trial(n) for n in range(search.trials)] for variant in templates}
        self.drawn: list[Settings] | None = None
        self.due: dict[str, str] = {}
        self.watcher: Watcher | None = None

    def open(self) -> None:
        """Load the state of an earlier run of the same search."""
        before = read_search(self.folder)
        if before is not None and before["ids"] == self.ids:
            self.draw(before["settings"])

    def look(self) -> None:
        """Load which trials of an earlier run have ended, for a plan; nothing is written."""
        for (variant, number), line in read_trials(self.folder).items():
            if line["state"] in ENDED and number < len(self.trials.get(variant, ())):
                self.trials[variant][number].state = line["state"]

    @property
    def is_drawn(self) -> bool:
        """True if the settings of the trials are known, as far as possible before any result."""
        return self.drawn is not None

    def draw(self, settings: list[Settings]) -> None:
        """Set the settings of all trials, the same for each variant, and write the search."""
        self.drawn = settings
        write_search(
            self.folder,
            {"ids": self.ids, "search": self.search.model_dump(mode="json"), "settings": settings},
        )
        for variant, trials in self.trials.items():
            for trial, chosen in zip(trials, settings, strict=False):
                self._settle(variant, trial, chosen)
        for (variant, number), line in read_trials(self.folder).items():
            trial = self.trials[variant][number]
            self._settle(variant, trial, line["settings"])
            is_final = line["state"] in ENDED and line.get("error_class", "diverged") in FINAL_ERRORS
            trial.state = line["state"] if is_final else "waiting"
        self.due = self._due()
        for variant, trials in self.trials.items():
            for trial in trials:
                if trial.job is None:
                    continue
                if trial.job.id in self.due:
                    trial.state, trial.known_epochs = "waiting", 0
                    continue
                past = history(self.folder.job_folder(str(trial.job.id)))
                trial.known_epochs = past[-1]["epoch"] if past and not self.search.shares_training else 0
                if self.folder.is_done(str(trial.job.id)):
                    self._end(variant, trial, "ok", tell=False)

    def _due(self) -> dict[str, str]:
        """Return the trials, by id, that earlier code trained, to the end or not, with the reason."""
        jobs = [trial.job for trials in self.trials.values() for trial in trials if trial.job is not None]
        standing = Standing(self.folder, {str(job.id): job.code for job in jobs})
        return standing.due(with_unfinished=True)

    def set_due_aside(self, variants: Iterable[str]) -> None:
        """Set aside what earlier code left of the trials of some variants."""
        due = self._due()
        jobs = [trial.job for variant in variants for trial in self.trials[variant] if trial.job is not None]
        set_aside(self.folder, [str(job.id) for job in jobs if job.id in due])

    def _settle(self, variant: str, trial: Trial, settings: Settings) -> None:
        trial.settings = settings
        trial.job = trial_job(self.templates[variant], self.search, trial.number, settings)

    def left(self, variant: str) -> list[Trial]:
        """Return the trials of a variant that have not ended; all trials if settings are not drawn yet."""
        return [trial for trial in self.trials[variant] if trial.state not in ENDED]

    def states(self, variants: list[str]) -> Counter[str]:
        """Return the number of trials by state."""
        return Counter(trial.state for variant in variants for trial in self.trials[variant])

    def epochs(self, variants: list[str]) -> tuple[int, int]:
        """Return the number of trained epochs, and of epochs if all trials were trained to the end."""
        jobs = [trial.job for variant in variants for trial in self.trials[variant] if trial.job]
        trained = sum(len(read_epochs(self.folder.job_folder(str(job.id)))) for job in jobs)
        return trained, len(variants) * self.search.trials * self.search.epochs

    def started(self, variant: str, number: int, settings: Settings, data: dict[str, Any]) -> None:
        """Record that a trial has started or continues."""
        trial = self.trials[variant][number]
        if trial.settings is None:
            self._settle(variant, trial, settings)
            self._write(variant, trial, "running", {})
        if trial.state not in ENDED and self.watcher is not None:
            self.watcher.job_started(self._shown(variant, trial), data)

    def progressed(self, variant: str, number: int, event: dict[str, Any]) -> None:
        """Pass on a finished epoch."""
        trial = self.trials[variant][number]
        is_news = trial.state not in ENDED and event["epoch"] > trial.known_epochs
        if is_news and self.watcher is not None:
            self.watcher.job_progressed(self._shown(variant, trial), event)

    def tick(self) -> None:
        """Let the watcher draw."""
        if self.watcher is not None:
            self.watcher.tick()

    def ended(self, variant: str, number: int, *, is_lost: bool) -> None:
        """Record the end of a trial according to the files in its folder.

        Args:
            variant: The variant.
            number: The trial.
            is_lost: Whether Ray reports that its worker died. A trial without result or failure is then
                resumed; otherwise it was stopped early.
        """
        trial = self.trials[variant][number]
        if trial.state in ENDED or trial.job is None:
            return
        job_folder = self.folder.job_folder(str(trial.job.id))
        failure = read_json(job_folder / FAILURE)
        if self.folder.is_done(str(trial.job.id)):
            self._end(variant, trial, "ok")
        elif failure is not None:
            self._end(variant, trial, "failed", failure)
        elif not is_lost:
            self._end(variant, trial, "stopped")
        elif self.watcher is not None:
            self.watcher.job_ended(self._shown(variant, trial), "retry", "worker_lost: the Ray worker died")

    def _end(
        self,
        variant: str,
        trial: Trial,
        state: str,
        failure: dict[str, Any] | None = None,
        *,
        tell: bool = True,
    ) -> None:
        job = trial.job
        if job is None:
            return
        trial.state = state
        known = read_trials(self.folder).get((variant, trial.number), {})
        if known.get("state") != state:
            self._write(variant, trial, state, failure or {})
        self._journal(job, trial.number, state, failure)
        if tell and self.watcher is not None:
            log = f" (log: {self.folder.job_folder(str(job.id)) / 'log.txt'})" if failure else ""
            message = one_line(failure) + log if failure else self._figures(job, state)
            self.watcher.job_ended(self._shown(variant, trial), state, message)

    def _figures(self, job: Job, state: str) -> str:
        """Return the metric of a trial that has ended, and the last epoch of a stopped one, as words."""
        past = history(self.folder.job_folder(str(job.id)))
        value = self.value(job) if state == "ok" else past[-1].get(self.metric_key) if past else None
        epochs = (
            [f"after epoch {past[-1]['epoch']} of {self.search.epochs}"] if past and state != "ok" else []
        )
        return ", ".join(epochs + ([] if value is None else [number_words(self.search.metric, value)]))

    def _journal(self, job: Job, number: int, state: str, failure: dict[str, Any] | None) -> None:
        """Append the trial to the journals of all jobs, marked as a trial, unless it is already there."""
        name = str(job.id)
        if self.folder.jobs().get(name, {}).get("status") == state:
            return
        result = self.folder.result(name)
        error = one_line(failure) if failure else None
        attempts = len(self.folder.attempts(name)) + 1
        mark = {"algorithm": self.search.algorithm.name, "trial": number}
        if result is not None:
            self.folder.add_job({**result["job"], "attempts": attempts, "search": mark}, result["records"])
            return
        self.folder.add_attempt(name, {**now(), "status": state, "message": error})
        line = {
            "schema_version": SCHEMA_VERSION,
            "job_id": name,
            "status": state,
            "kind": job.kind,
            "label": job.label,
            "seed": job.seed,
            "error": error,
            "attempts": attempts,
            "search": mark,
            **now(),
        }
        self.folder.add_job(line, [])

    def _write(self, variant: str, trial: Trial, state: str, failure: dict[str, Any]) -> None:
        job_id = str(trial.job.id) if trial.job else None
        past = history(self.folder.job_folder(job_id)) if job_id else []
        values = [event[self.metric_key] for event in past if event.get(self.metric_key) is not None]
        pick = max if self.search.mode == "max" else min
        schedule = read_schedule(self.folder.job_folder(job_id)) if job_id else []
        line = {
            "search": self.ids[variant],
            "variant": variant,
            "trial": trial.number,
            "job_id": job_id,
            "settings": schedule[-1]["settings"] if schedule else trial.settings,
            "state": state,
            "epochs": past[-1]["epoch"] if past else 0,
            "last": values[-1] if values else None,
            "best": pick(values) if values else None,
            **({"error_class": failure["error_class"], "error": one_line(failure)} if failure else {}),
            **({"started_with": trial.settings, "takeovers": schedule} if schedule else {}),
            **now(),
        }
        add_trial(self.folder, line)

    def value(self, job: Job) -> float | None:
        """Return the metric of a trial that was trained to the end, else None."""
        result = self.folder.result(str(job.id)) or {"records": []}
        records = [r for r in result["records"] if r["metric"] == self.search.metric]
        found = [r["value"] for r in records if r["value"] is not None and not facets_of(r).is_of_a_part]
        return found[-1] if found else None

    def best(self) -> dict[str, Found]:
        """Return the best trial among those trained to the end, by variant, if there is one."""
        found: dict[str, Found] = {}
        for variant, trials in self.trials.items():
            for trial in trials:
                value = None if trial.job is None or trial.state != "ok" else self.value(trial.job)
                if trial.job is None or value is None:
                    continue
                if variant not in found or self.search.is_better(value, found[variant].value):
                    found[variant] = self._found(trial, trial.job, value)
        return found

    def _found(self, trial: Trial, job: Job, value: float) -> Found:
        """Return a trial with its final settings: a population changes them during the training."""
        schedule = read_schedule(self.folder.job_folder(str(job.id)))
        settings = schedule[-1]["settings"] if schedule else trial.settings or {}
        last = trial_job(self.templates[job.variant.name], self.search, trial.number, settings)
        return Found(trial.number, settings, job.model_copy(update={"spec": last.spec}), value)

    def jobs_expected(self) -> list[Job]:
        """Return a job for every trial; without an id if its settings are not known yet."""
        found = []
        for variant, trials in self.trials.items():
            for trial in trials:
                draft = trial_job(self.templates[variant], self.search, trial.number, {})
                found.append(trial.job or draft.model_copy(update={"id": None}))
        return found

    def trials_graph(self, graph: JobGraph, jobs: list[Job]) -> JobGraph:
        """Return the graph of the trials."""
        return trials_graph(graph, jobs)

    def plan(self, graph: JobGraph, variants: list[str]) -> Plan:
        """Return the remaining trials of `variants` as a plan for a watcher."""
        shown = {
            (variant, trial.number): self._shown(variant, trial)
            for variant in variants
            for trial in self.trials[variant]
        }
        left = {(variant, trial.number) for variant in variants for trial in self.left(variant)}
        again = tuple(job for key, job in shown.items() if key in left and job.id in self.due)
        return Plan(
            trials_graph(graph, list(shown.values())),
            todo=tuple(job for key, job in shown.items() if key in left),
            done=tuple(job for key, job in shown.items() if key not in left),
            pending=(),
            due={str(job.id): self.due[str(job.id)] for job in again},
            again=again,
        )

    def _shown(self, variant: str, trial: Trial) -> Job:
        """Return the trial's job under a fixed id, as its settings may not be known yet."""
        if self.drawn:
            return trial.job or self.templates[variant]
        draft = trial_job(self.templates[variant], self.search, trial.number, {})
        return draft.model_copy(update={"id": draft.label})


def _kind(templates: dict[str, Job]) -> JobKind:
    kind: JobKind = JOBS.load(next(iter(templates.values())).kind)
    return kind
