"""Run a plan: place jobs, follow running ones, keep results, and retry lost jobs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lsbench.core.errors import ConfigError
from lsbench.core.job import Job
from lsbench.core.record import SCHEMA_VERSION
from lsbench.core.waits import announce
from lsbench.scheduler.demand import bundles
from lsbench.scheduler.expected import ExpectedDurations
from lsbench.scheduler.faulty_devices import FaultyDevices
from lsbench.scheduler.headline import headline
from lsbench.scheduler.ledger import Ledger, ResourceRequest
from lsbench.scheduler.needs import Needs
from lsbench.scheduler.node_needs import needs_of
from lsbench.scheduler.node_wait import NodeWait, may_fit_later
from lsbench.scheduler.protocol import Event, Executor, Placement, Watcher
from lsbench.scheduler.queue import JobQueue, WaitingJob
from lsbench.scheduler.retry import LOSES_NODE, one_line, resources_again, should_retry
from lsbench.store.results import LOG, SPEC, ResultsFolder, begin_job
from lsbench.suite.graph import critical_path
from lsbench.suite.models import models_of
from lsbench.suite.parsed import parsed_once
from lsbench.suite.planner import Plan
from lsbench.suite.splits import data_uses

POLL_S = 0.25
NODES_EVERY_S = 5.0


@dataclass
class Outcome:
    """The outcome of a run."""

    ok: list[Job] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)
    skipped: list[Job] = field(default_factory=list)


class Driver:
    """Runs the jobs of one plan on one executor."""

    def __init__(
        self,
        plan: Plan,
        folder: ResultsFolder,
        executor: Executor,
        watcher: Watcher,
        *,
        fail_fast: bool = False,
        max_parallel: int | None = None,
        wait_for_nodes_s: float | None = None,
    ) -> None:
        """Prepare a run on a started executor.

        Args:
            plan: The jobs to run.
            folder: Folder for results; this driver holds its lock.
            executor: Runs the jobs.
            watcher: Receives the progress; it must not fail.
            fail_fast: Whether to start no more jobs after a failed one.
            max_parallel: Maximum number of jobs at a time, or None.
            wait_for_nodes_s: Most seconds to wait for nodes while nothing can run; None: without end.
        """
        self.folder, self.executor, self.watcher = folder, executor, watcher
        self.fail_fast, self.max_parallel = fail_fast, max_parallel
        self.waiting: dict[str, Job] = {str(job.id): job for job in plan.todo}
        self.done: set[str] = {str(job.id) for job in plan.done}
        self.needs = Needs(plan.todo, self.done)
        self.priority = critical_path(plan.graph)
        self.running: dict[str, tuple[Job, Placement]] = {}
        self.failures: dict[str, list[str]] = {}
        self.outcome = Outcome()
        nodes = executor.nodes()
        self.ledger = Ledger(nodes)
        self.expected = ExpectedDurations(plan, folder)
        self.queue = JobQueue(self.ledger, self.expected.of)
        self._has_changed = True  # since the last look for jobs that can start
        self._places = {name: place for place, name in enumerate(self.waiting)}
        self._started: dict[str, float] = {}
        self._ended: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
        self.devices = FaultyDevices(executor, self.ledger)
        self.watcher.nodes_changed(nodes, max_parallel)
        self._nodes_checked = -math.inf
        self.node_wait = NodeWait(wait_for_nodes_s)
        may_wait = may_fit_later(nodes, can_grow=executor.can_grow, limit_s=wait_for_nodes_s)
        requests = {} if may_wait else {self._request(job): job for job in reversed(plan.todo)}
        for request, job in reversed(requests.items()):
            self.ledger.check_fits(request, job.label)
        for name in self.needs.ready():
            self._enqueue(self.waiting[name])

    def preflight(self) -> None:
        """Check nodes, models and data before any job starts.

        Raises:
            ConfigError: With one line per problem.
        """
        jobs = self.waiting.values()
        # A node with GPUs may join later.
        wants_gpus = any(job.resources.num_gpus == "auto" or self._request(job).num_gpus for job in jobs)
        parsed = parsed_once(jobs)
        needs = needs_of(parsed, wants_gpus=wants_gpus)
        problems = self.executor.preflight(models_of(parsed), self.folder.root, needs, data_uses(parsed))
        if problems:
            raise ConfigError(problems)
        self._refresh_nodes()  # a local Ray may have been started again meanwhile: its node is another one

    def run(self) -> Outcome:
        """Run until no job is left that can run."""
        while self.waiting or self.running:
            self._start_what_fits()
            if not self.running:
                if self.devices.release() or self._wait_for_nodes():
                    self._has_changed = True
                    continue
                self._skip_rest()
                break
            self._take(self.executor.poll(POLL_S))
            self._refresh_nodes()
            self.watcher.tick()
        return self.outcome

    def _wait_for_nodes(self) -> bool:
        """Wait a moment for nodes on which ready jobs fit; return whether there is still hope for one."""
        first = None if self.fail_fast and self.outcome.failed else next(self.queue.in_order(), None)
        nodes = self.ledger.nodes()
        if first is None or not (self.executor.can_grow or any(node.is_leaving for node in nodes)):
            return False
        label = self.waiting[first.name].label
        goes_on = self.node_wait.wait(label, first.request, nodes, num_jobs=len(self.queue))
        self._refresh_nodes()
        self.watcher.tick()
        return goes_on

    def _start_what_fits(self) -> None:
        """Look for jobs that can start, if a job has ended or a node has joined since the last look."""
        if not self._has_changed or (self.fail_fast and self.outcome.failed):
            return
        self._has_changed = False
        room = math.inf if self.max_parallel is None else self.max_parallel - len(self.running)
        for one, placement in self.queue.starts(time.monotonic(), room):
            self._start(self.waiting[one.name], placement)

    def _enqueue(self, job: Job) -> None:
        """Let a job start that needs no other any more: the longest chain first, then as in the suite."""
        name = str(job.id)
        self.queue.add(WaitingJob(name, self._request(job), self.priority[name], self._places[name]))
        self._has_changed = True

    def _request(self, job: Job) -> ResourceRequest:
        failures = self.failures.get(str(job.id))
        resources = resources_again(failures).over(job.resources) if failures else job.resources
        return self.ledger.request(resources)

    def _start(self, job: Job, placement: Placement) -> None:
        name = str(job.id)
        num_devices = sum(part.num_devices for part in placement.parts)
        settled = job.resources.model_copy(update={"num_gpus": float(num_devices)})
        text = _text_of(job.model_copy(update={"resources": settled}))
        self.running[name] = self.waiting.pop(name), placement
        self._started[name] = time.monotonic()
        self.node_wait.ended()
        timeout_s = float(job.resources.timeout_min or 0) * 60
        self.executor.submit(name, self.folder.job_folder(name), text, placement, timeout_s)

    def _take(self, events: Iterable[Event]) -> None:
        """Handle events; the journals get all jobs that have ended with one write."""
        try:
            for event in events:
                self._handle(event)
        finally:
            ended, self._ended = self._ended, []
            self.folder.add_jobs(ended)

    def _handle(self, event: Event) -> None:
        if event.job_id not in self.running:
            return  # a late event of a job that has ended
        job, placement = self.running[event.job_id]
        if event.kind == "start":
            self.watcher.job_started(job, event.data)
        elif event.kind == "progress":
            self.watcher.job_progressed(job, event.data)
        else:
            self._end(event, job, placement)

    def _end(self, event: Event, job: Job, placement: Placement) -> None:
        """Take what a job's end says of its node and devices, and keep its result or its failure."""
        del self.running[event.job_id]
        self.queue.end(event.job_id, placement)
        self._has_changed = True
        error_class = event.data.get("error_class")
        if error_class in LOSES_NODE:
            for node in event.data.get("lost_nodes", [placement.node]):
                if error_class == "device_lost":
                    name = self.ledger.node_name(node)
                    announce(f"node {name} does not show its GPUs and gets no more jobs of this run")
                self.ledger.remove(node)
            self._nodes_checked = -math.inf  # others may have joined
        if error_class == "preempted":
            for part in placement.parts:
                self.ledger.stop_using(part.node)
        if error_class == "device_error":
            self.devices.fault(event.job_id, placement, event.data)
        self._finish(job, event.data)
        if event.job_id not in self.waiting:
            self.devices.ended(event.job_id)

    def _finish(self, job: Job, end: dict[str, Any]) -> None:
        """Keep the result of a job; if its file exists, the job is done, whatever the executor reports."""
        name = str(job.id)
        result = self.folder.result(name)
        if result is not None:
            attempts = len(self.failures.get(name, [])) + 1
            self._ended.append(({**result["job"], "attempts": attempts}, result["records"]))
            self.done.add(name)
            self.expected.learn(name, time.monotonic() - self._started[name])
            for one in self.needs.met(name):
                self._enqueue(self.waiting[one])
            self.outcome.ok.append(job)
            self.watcher.job_ended(job, "ok", headline(job.kind, result["records"]))
            return
        if end.get("ok"):
            end = {"error_class": "worker_lost", "message": "the job ended without a result"}
        self._fail(job, end)

    def _fail(self, job: Job, end: dict[str, Any]) -> None:
        name, error_class = str(job.id), end["error_class"]
        if not (self.folder.job_folder(name) / SPEC).exists():  # it was lost before its process could write
            begin_job(self.folder.job_folder(name), _text_of(job))
        failures = self.failures.setdefault(name, [])
        failures.append(error_class)
        message = one_line(end)
        attempt = {**now(), "status": "failed", "error_class": error_class, "message": message}
        self.folder.add_attempt(name, attempt)
        retries = job.resources.max_retries or 0
        if should_retry(error_class, failures=failures, max_retries=retries):
            self.waiting[name] = job
            self._places[name] = len(self._places) + len(failures)  # after those that have not run yet
            self._enqueue(job)
            self.watcher.job_ended(job, "retry", message)
            return
        line = {
            "schema_version": SCHEMA_VERSION,
            "job_id": name,
            "status": "failed",
            "kind": job.kind,
            "label": job.label,
            "seed": job.seed,
            "error": message,
            "attempts": len(failures),
            **now(),
        }
        self._ended.append((line, []))
        self.outcome.failed.append(job)
        self.watcher.job_ended(job, "failed", f"{message} (log: {self.folder.job_folder(name) / LOG})")

    def _skip_rest(self) -> None:
        for job in self.waiting.values():
            missing = [name for name, need in job.needs.items() if need not in self.done]
            why = f"needs {', '.join(missing)}, which did not finish" if missing else "no node is left for it"
            why = self.node_wait.why_over if self.node_wait.is_over and not missing else why
            why = "stopped by --fail-fast" if self.fail_fast and self.outcome.failed else why
            self.outcome.skipped.append(job)
            self.watcher.job_ended(job, "skipped", why)
        self.waiting.clear()

    def _refresh_nodes(self) -> None:
        """Update the ledger with nodes that joined or left."""
        if time.monotonic() - self._nodes_checked < NODES_EVERY_S:
            return
        self._nodes_checked = time.monotonic()
        alive = {node.id: node for node in self.executor.nodes()}
        known = {node.id: node for node in self.ledger.nodes()}
        changed = {name for name in alive.keys() | known.keys() if alive.get(name) != known.get(name)}
        for name in changed:
            self._has_changed = True
            self.queue.forget(name)
            if name in alive:
                self.ledger.add(alive[name])
            else:
                self.ledger.remove(name)
        if any(alive[name].num_gpus for name in alive.keys() - known.keys()):
            for one in self.queue.clear():  # whose requests may now be for these GPUs
                self._enqueue(self.waiting[one.name])
        self.watcher.nodes_changed(list(alive.values()), self.max_parallel)
        wanted = (one.request for one in self.queue.in_order())
        self.executor.ask_for(bundles((p for _, p in self.running.values()), wanted, most=self.max_parallel))


def _text_of(job: Job) -> str:
    return job.model_dump_json(indent=1) + "\n"


def now() -> dict[str, str]:
    """Return the current time as ``ended`` in the journals."""
    return {"ended_at": datetime.now(UTC).isoformat(timespec="seconds")}
