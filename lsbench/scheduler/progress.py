"""Show the progress of a run: live bars on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lsbench.core.job import Job
from lsbench.core.quantity import from_duration
from lsbench.rendering.wrapping import short_label, wrap
from lsbench.store.results import ResultsFolder
from lsbench.suite.planner import Plan

DRAW_EVERY_S = 1.0
SILENT_S = 1.0
"""Seconds that a job runs before a log tells which part it is at."""
INDENT, MARGINS = 2, 3  # columns of a line of the live display
LABEL_SHARE = 0.5  # of the room beside the bar that the label may take
MIN_SHARE = 0.05  # of a running job, before its pace is used
STATE_STYLE = {
    "ok": "green",
    "failed": "bold red",
    "retry": "yellow",
    "skipped": "yellow",
    "stopped": "yellow",
}


class TimeLeft:
    """Estimates the remaining time from the time per MAC of jobs of the same kind."""

    def __init__(self, plan: Plan, folder: ResultsFolder) -> None:
        """Learn from the finished jobs."""
        self.cost = {str(job.id): plan.graph.cost[job.label] for job in plan.graph.jobs if job.id}
        self.kind = {str(job.id): job.kind for job in plan.graph.jobs if job.id}
        self.left = {str(job.id) for job in plan.todo}
        self._seconds: dict[str, float] = defaultdict(float)
        self._macs: dict[str, float] = defaultdict(float)
        for name, line in folder.jobs().items():
            if line["status"] == "ok" and name in self.cost:
                self.learn(name, line["wall_s"])

    def learn(self, job_id: str, wall_s: float) -> None:
        """Add the duration of a job."""
        self.left.discard(job_id)
        self._seconds[self.kind[job_id]] += wall_s
        self._macs[self.kind[job_id]] += self.cost[job_id]

    def seconds_left(
        self, shares: dict[str, float], parallel: int, elapsed: dict[str, float] | None = None
    ) -> float | None:
        """Return the seconds until the end, or None before they can be estimated.

        Args:
            shares: Share done of each running job, 0 to 1.
            parallel: Number of jobs that run at a time.
            elapsed: Seconds since the start of each running job; it gives the rate of a kind before its first
                job has ended.
        """
        seconds, macs = dict(self._seconds), dict(self._macs)
        for name, ran in (elapsed or {}).items():
            if shares.get(name, 0.0) >= MIN_SHARE and not self._macs.get(self.kind[name]):
                kind = self.kind[name]
                seconds[kind] = seconds.get(kind, 0.0) + ran
                macs[kind] = macs.get(kind, 0.0) + self.cost[name] * shares[name]
        known = {kind: seconds[kind] / work for kind, work in macs.items() if work}
        if not known:
            return None
        usual = max(known.values())
        total = 0.0
        for name in self.left:
            rate = known.get(self.kind[name], usual)
            total += self.cost[name] * rate * (1 - shares.get(name, 0.0))
        return total / max(parallel, 1)


class PlainWatcher:
    """One line per event, for logs."""

    def __init__(self, plan: Plan, folder: ResultsFolder, console: Console) -> None:
        """Print the number of jobs to run.

        Args:
            plan: The jobs to run.
            folder: Folder for results.
            console: Console for the lines (stderr).
        """
        self.console, self.plan = console, plan
        self.estimate = TimeLeft(plan, folder)
        self.total, self.ended = len(plan.todo), 0
        self.started_at: dict[str, float] = {}
        self.state: dict[str, dict[str, Any]] = {}
        again = sum(plan.state(job) == "to rerun" for job in plan.todo)
        remark = f" ({again} of them again)" if again else ""
        self.say(f"{plan.graph.suite.name}: {self.total} jobs to run{remark}, {len(plan.done)} done before")

    def say(self, text: str, style: str = "") -> None:
        """Print one line."""
        lines = wrap(text, self.console.width, hanging="  ") if self.console.is_terminal else [text]
        self.console.print(Text("\n".join(lines), style=style), soft_wrap=True)

    def job_started(self, job: Job, event: dict[str, Any]) -> None:
        """Remember the start."""
        self.started_at[str(job.id)] = time.monotonic()
        self.state[str(job.id)] = {"label": job.label, "num_ranks": event.get("num_ranks", 1)}

    def job_progressed(self, job: Job, event: dict[str, Any]) -> None:
        """Print a line per epoch, per part of a job that takes a while, and per warning."""
        if event["ev"] == "warning":
            self.warn(job, event)
            return
        self.state.setdefault(str(job.id), {"label": job.label}).update(event)
        if event["ev"] == "epoch":
            num_ranks = self.state[str(job.id)].get("num_ranks", 1)
            self.say(f"{job.label}: {describe({**event, 'num_ranks': num_ranks})}")
        self._say_parts()

    def _say_parts(self) -> None:
        """Print the part that each job is at, once; jobs of a moment say nothing."""
        now = time.monotonic()
        for name, state in self.state.items():
            part = state.get("what")
            if part and part != state.get("said") and now - self.started_at.get(name, now) >= SILENT_S:
                state["said"] = part
                self.say(f"{state['label']}: {part}")

    def warn(self, job: Job, event: dict[str, Any]) -> None:
        """Print a warning from a job."""
        self.say(f"{job.label}: {event['message']}", "yellow")

    def job_ended(self, job: Job, state: str, message: str) -> None:
        """Print the outcome of a job."""
        name = str(job.id)
        wall_s = time.monotonic() - self.started_at.pop(name, time.monotonic())
        self.state.pop(name, None)
        if state != "retry":
            self.ended += 1
        if state == "ok":
            self.estimate.learn(name, wall_s)
        elif state == "stopped":
            self.estimate.left.discard(name)
        is_over = state in ("ok", "stopped")
        detail = (f" in {from_duration(wall_s)}" if is_over else "") + (f": {message}" if message else "")
        self.say(f"[{self.ended}/{self.total}] {job.label} {state}{detail}", STATE_STYLE[state])

    def tick(self) -> None:
        """Print what is due; a log is not redrawn."""
        self._say_parts()

    def close(self) -> None:
        """Do nothing: there is nothing to clear."""

    def seconds_left(self) -> float | None:
        """Return the estimated seconds until the end."""
        shares = {name: share_done(state) for name, state in self.state.items()}
        now = time.monotonic()
        elapsed = {name: now - started for name, started in self.started_at.items()}
        return self.estimate.seconds_left(shares, len(self.state), elapsed)


class LiveWatcher(PlainWatcher):
    """An overall bar with the remaining time, and a line per running job; ended jobs scroll above."""

    def __init__(self, plan: Plan, folder: ResultsFolder, console: Console) -> None:
        """Start the display; arguments as for the plain one."""
        super().__init__(plan, folder, console)
        self.begun = time.monotonic()
        self.live = Live(console=console, auto_refresh=False, transient=True)
        self.live.start()
        self._drawn = 0.0

    def job_progressed(self, job: Job, event: dict[str, Any]) -> None:
        """Keep the newest state of a job for the next redraw; print warnings."""
        if event["ev"] == "warning":
            self.warn(job, event)
            return
        self.state.setdefault(str(job.id), {"label": job.label}).update(event)

    def tick(self) -> None:
        """Redraw rarely: a timing job may share this machine."""
        if time.monotonic() - self._drawn >= DRAW_EVERY_S:
            self._drawn = time.monotonic()
            self.live.update(self._render(), refresh=True)

    def close(self) -> None:
        """Clear the display."""
        self.live.stop()

    def _render(self) -> RenderableType:
        left = self.seconds_left()
        eta = f"about {from_duration(left)} left" if left is not None else "time left: unknown so far"
        shares = {name: share_done(state) for name, state in self.state.items()}
        width = 20 if self.console.width >= 100 else 8
        head = Table.grid(padding=(0, 1))
        elapsed = from_duration(time.monotonic() - self.begun)
        bar = ProgressBar(total=max(self.total, 1), completed=self.ended + sum(shares.values()), width=width)
        head.add_row(f"{self.ended}/{self.total} jobs", bar, f"{elapsed}, {eta}")
        rows = Table.grid(padding=(0, 1))
        told = {name: describe(state) for name, state in self.state.items()}
        room = self.console.width - width - INDENT - MARGINS
        label_room = max(room - max(map(len, told.values()), default=0), round(LABEL_SHARE * room))
        labels = {name: short_label(str(state["label"]), label_room) for name, state in self.state.items()}
        longest = max(map(cell_len, labels.values()), default=0)
        for columns in (INDENT + longest, width, max(room - longest, 1)):
            rows.add_column(no_wrap=True, overflow="ellipsis", width=columns)
        for name, label in labels.items():
            bar = ProgressBar(total=1.0, completed=shares[name], width=width)
            rows.add_row(" " * INDENT + label, bar, told[name])
        return Group(head, rows)


class JsonWatcher(PlainWatcher):
    """JSON lines on stdout for machines; readable lines stay on stderr."""

    def __init__(self, plan: Plan, folder: ResultsFolder, console: Console, stream: TextIO) -> None:
        """Take the arguments of the plain watcher, and the stream for JSON."""
        self.stream = stream
        super().__init__(plan, folder, console)

    def job_started(self, job: Job, event: dict[str, Any]) -> None:
        """Write the start."""
        super().job_started(job, event)
        self._write(job, "start", event)

    def job_progressed(self, job: Job, event: dict[str, Any]) -> None:
        """Write the progress."""
        super().job_progressed(job, event)
        self._write(job, "progress", event)

    def job_ended(self, job: Job, state: str, message: str) -> None:
        """Write the end."""
        super().job_ended(job, state, message)
        self._write(job, "end", {"state": state, "message": message})

    def _write(self, job: Job, kind: str, data: dict[str, Any]) -> None:
        write_event(self.stream, {"event": kind, "job_id": job.id, "label": job.label, **data})


def write_event(stream: TextIO, event: dict[str, Any]) -> None:
    """Write one JSON line."""
    stream.write(json.dumps(event) + "\n")
    stream.flush()


def share_done(state: dict[str, Any]) -> float:
    """Return the share of a job that is done, 0 to 1, according to its events.

    Epochs count from 1: ``step`` events name the running epoch, ``epoch`` events the finished one.

    >>> share_done({"ev": "step", "epoch": 2, "epochs": 4, "step": 5, "steps": 10})
    0.375
    """
    within = state.get("step", 0) / state["steps"] if state.get("steps") else 0.0
    if not state.get("epochs"):
        return float(min(1.0, within))
    done = state["epoch"] if state.get("ev") == "epoch" else state.get("epoch", 1) - 1 + within
    return float(min(1.0, done / state["epochs"]))


def describe(state: dict[str, Any]) -> str:
    """Return the newest metrics of a running job for display.

    >>> describe({"epoch": 2, "epochs": 8, "loss": 1.25, "val_top1": 0.5})
    'epoch 2/8, loss 1.250, val top-1 50.0 %'
    """
    parts = []
    if state.get("epochs"):
        parts.append(f"epoch {state.get('epoch', 0)}/{state['epochs']}")
    if state.get("what"):
        parts.append(str(state["what"]))
    if state.get("loss") is not None:
        parts.append(f"loss {state['loss']:.3f}")
    if state.get("val_top1") is not None:
        parts.append(f"val top-1 {100 * state['val_top1']:.1f} %")
    if state.get("images_per_s"):
        parts.append(f"{state['images_per_s']:.0f} images/s")
    if state.get("num_ranks", 1) > 1:
        parts.append(f"{state['num_ranks']} ranks")
    return ", ".join(parts)
