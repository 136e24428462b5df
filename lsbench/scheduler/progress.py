"""Show the progress of a run: live bars on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lsbench.core.counted import counted
from lsbench.core.job import Job
from lsbench.core.quantity import from_duration
from lsbench.rendering.wrapping import short_label, wrap
from lsbench.scheduler.protocol import Node
from lsbench.scheduler.time_left import TimeLeft, share_done
from lsbench.store.durations import Remaining, remove_time_left, write_time_left
from lsbench.store.results import ResultsFolder
from lsbench.suite.planner import Plan

DRAW_EVERY_S = 1.0
SILENT_S = 1.0
"""Seconds that a job runs before a log tells which part it is at."""
INDENT, MARGINS = 2, 3  # columns of a line of the live display
MOST_LINES = 40  # running jobs that the live display shows: more cost more than they tell
LABEL_SHARE = 0.5  # of the room beside the bar that the label may take
TOLD_EVERY_S, TOLD_SHARE = 60.0, 0.02
"""Seconds, and share of the time left, after which a log tells it again."""
KEPT_EVERY_S, KEPT_SHARE = 5.0, 0.01
"""Seconds, and share of the time left, after which it is written again for readers outside of the run."""
STATE_STYLE = {
    "ok": "green",
    "failed": "bold red",
    "retry": "yellow",
    "skipped": "yellow",
    "stopped": "yellow",
}


class PlainWatcher:
    """One line per event, for logs."""

    def __init__(self, plan: Plan, folder: ResultsFolder, console: Console) -> None:
        """Print the number of jobs to run.

        Args:
            plan: The jobs to run.
            folder: Folder for results.
            console: Console for the lines (stderr).
        """
        self.console, self.plan, self.folder = console, plan, folder
        self.time_left = TimeLeft(plan, folder)
        self._told_at, self._kept_at = -math.inf, -math.inf
        self._told_unknown: tuple[str, ...] | None = None
        self.total, self.ended = len(plan.todo), 0
        self.started_at: dict[str, float] = {}
        self.state: dict[str, dict[str, Any]] = {}
        again = sum(plan.state(job) == "to rerun" for job in plan.todo)
        remark = f" ({again} of them again)" if again else ""
        to_run = f"{counted(self.total, 'job')} to run{remark}"
        self.say(f"{plan.graph.suite.name}: {to_run}, {len(plan.done)} done before")
        self._keep(self.time_left.estimate())

    def say(self, text: str, style: str = "") -> None:
        """Print one line; into a log without a detour, as there may be tens of thousands."""
        if not self.console.is_terminal:
            self.console.file.write(f"{text}\n")
            self.console.file.flush()
            return
        lines = wrap(text, self.console.width, hanging="  ")
        self.console.print(Text("\n".join(lines), style=style), soft_wrap=True)

    def nodes_changed(self, nodes: Sequence[Node], most: int | None) -> None:
        """Estimate the time left for these nodes."""
        self.time_left.nodes_changed(nodes, most)

    def job_started(self, job: Job, event: dict[str, Any]) -> None:
        """Remember the start."""
        self.time_left.started(str(job.id))
        self.started_at[str(job.id)] = time.monotonic()
        self.state[str(job.id)] = {"label": job.label, "num_ranks": event.get("num_ranks", 1)}

    def job_progressed(self, job: Job, event: dict[str, Any]) -> None:
        """Print a line per epoch, per part of a job that takes a while, per wait and per warning."""
        if self._take(job, event) and event["ev"] == "epoch":
            num_ranks = self.state[str(job.id)].get("num_ranks", 1)
            self.say(f"{job.label}: {describe({**event, 'num_ranks': num_ranks})}")
        self._say_part(str(job.id))

    def _take(self, job: Job, event: dict[str, Any]) -> bool:
        """Keep the newest state of a job, and return True; warnings and waits are lines, and no state."""
        if event["ev"] == "warning":
            self.say(f"{job.label}: {event['message']}", "yellow")
            return False
        state = self.state.setdefault(str(job.id), {"label": job.label})
        if event["ev"] == "wait":
            self.time_left.waits(str(job.id))
            if event["what"] not in state.setdefault("waits", []):
                state["waits"].append(event["what"])
                self.say(f"{job.label}: {event['what']} ...")
            return False
        state.update(event)
        self.time_left.progressed(str(job.id), state)
        return True

    def _say_parts(self) -> None:
        """Print the part that each job is at, once."""
        for name in self.state:
            self._say_part(name)

    def _say_part(self, name: str) -> None:
        """Print the part that a job is at, once; jobs of a moment say nothing."""
        now, state = time.monotonic(), self.state.get(name, {})
        part = state.get("what")
        if part and part != state.get("said") and now - self.started_at.get(name, now) >= SILENT_S:
            state["said"] = part
            self.say(f"{state['label']}: {part}")

    def job_ended(self, job: Job, state: str, message: str) -> None:
        """Print the outcome of a job."""
        name = str(job.id)
        wall_s = time.monotonic() - self.started_at.pop(name, time.monotonic())
        self.state.pop(name, None)
        if state != "retry":
            self.ended += 1
        self.time_left.ended(name, state)
        is_over = state in ("ok", "stopped")
        detail = (f" in {from_duration(wall_s)}" if is_over else "") + (f": {message}" if message else "")
        self.say(f"[{self.ended}/{self.total}] {job.label} {state}{detail}", STATE_STYLE[state])

    def tick(self) -> None:
        """Print what is due; a log is not redrawn."""
        self._say_parts()
        left = self.time_left.estimate()
        self._keep(left)
        now, pause = time.monotonic(), max(TOLD_EVERY_S, TOLD_SHARE * (left.seconds or 0.0))
        if self.started_at and (now - self._told_at >= pause or left.unknown != self._told_unknown):
            self._told_at, self._told_unknown = now, left.unknown
            self._tell(left)

    def _tell(self, left: Remaining) -> None:
        self.say(f"{self.ended} of {counted(self.total, 'job')} ended, time left: {left.text('')}")

    def _keep(self, left: Remaining) -> None:
        """Write the time left for readers outside of the run."""
        now, pause = time.monotonic(), max(KEPT_EVERY_S, KEPT_SHARE * (left.seconds or 0.0))
        if now - self._kept_at >= pause:
            self._kept_at = now
            write_time_left(self.folder, left)

    def close(self) -> None:
        """Nothing is left to wait for."""
        remove_time_left(self.folder)


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
        """Keep the newest state of a job for the next redraw; print waits and warnings."""
        self._take(job, event)

    def tick(self) -> None:
        """Redraw rarely: a timing job may share this machine."""
        if time.monotonic() - self._drawn >= DRAW_EVERY_S:
            self._drawn = time.monotonic()
            self._keep(self.time_left.estimate())
            self.live.update(self._render(), refresh=True)

    def close(self) -> None:
        """Clear the display."""
        self.live.stop()
        super().close()

    def _render(self) -> RenderableType:
        """Return the overall bar, and lines of the jobs that have run longest, as far as there is room."""
        left = self.time_left.estimate()
        eta = left.text() if left.seconds is not None else f"time left: {left.text()}"
        shares = {name: share_done(state) for name, state in self.state.items()}
        width = 20 if self.console.width >= 100 else 8
        head = Table.grid(padding=(0, 1))
        elapsed = from_duration(time.monotonic() - self.begun)
        bar = ProgressBar(total=max(self.total, 1), completed=self.ended + sum(shares.values()), width=width)
        head.add_row(f"{self.ended}/{counted(self.total, 'job')}", bar, f"{elapsed}, {eta}")
        rows = Table.grid(padding=(0, 1))
        most = max(1, min(MOST_LINES, self.console.height - MARGINS - 1))
        shown = dict(islice(self.state.items(), most))
        told = {name: describe(state) for name, state in shown.items()}
        room = self.console.width - width - INDENT - MARGINS
        label_room = max(room - max(map(len, told.values()), default=0), round(LABEL_SHARE * room))
        labels = {name: short_label(str(state["label"]), label_room) for name, state in shown.items()}
        longest = max(map(cell_len, labels.values()), default=0)
        for columns in (INDENT + longest, width, max(room - longest, 1)):
            rows.add_column(no_wrap=True, overflow="ellipsis", width=columns)
        for name, label in labels.items():
            bar = ProgressBar(total=1.0, completed=shares[name], width=width)
            rows.add_row(" " * INDENT + label, bar, told[name])
        if len(self.state) > len(shown):
            rows.add_row(f"{' ' * INDENT}and {len(self.state) - len(shown)} more", "", "")
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

    def _tell(self, left: Remaining) -> None:
        """Write the time left."""
        super()._tell(left)
        event = {"event": "time_left", "seconds": left.seconds, "unknown_of": list(left.unknown)}
        write_event(self.stream, event)

    def _write(self, job: Job, kind: str, data: dict[str, Any]) -> None:
        write_event(self.stream, {"event": kind, "job_id": job.id, "label": job.label, **data})


def write_event(stream: TextIO, event: dict[str, Any]) -> None:
    """Write one JSON line."""
    stream.write(json.dumps(event) + "\n")
    stream.flush()


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
