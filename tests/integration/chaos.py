"""Kill the processes of real runs at random instants, continue them, and look at what they have left.

    python -m tests.integration.chaos --kills 200 --seed 1

A suite of a training, its evaluation, a profile and jobs of another package runs on a local Ray. One process
after another is killed, of six kinds: at the start, in the check before the jobs, while jobs run, and as the
run ends. A run that ended before its jobs were done is started again. Every round fills a results folder of
its own, which is compared with one that nothing disturbed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml

from lsbench.store.results import record_key
from lsbench.store.room import is_cache, is_step_file

#: Kinds of processes, and how many of a dozen kills each gets: after the first three, Ray starts anew.
KINDS = {"driver": 1, "gcs": 1, "raylet": 1, "fork server": 2, "worker": 3, "child": 4}
PHASES = ("start", "preflight", "jobs", "end")
#: Most seconds from the last kill, or the beginning of the phase, to a kill.
LATEST_S = {"start": 5.0, "preflight": 7.0, "jobs": 6.0, "end": 1.5}
#: Seconds for which a process of the kind is looked for.
LOOK_S = 4.0
#: Seconds in which the processes of a run that was killed end by themselves.
LEAVE_S = 120.0
#: Shares of the runs that are disturbed as they start, which few survive, and once more as they end.
STARTS, ENDS = 0.4, 0.4
AT_END = ("driver", "raylet", "gcs", "worker")
SUITE: dict[str, Any] = {
    "version": 1,
    "name": "chaos",
    "defaults": {
        "model": "lsnet_nano",
        "dataset": {"name": "fashion", "train_images": 80, "val_images": 10, "test_images": 20},
    },
    "resources": {"max_retries": 1000},
    "variants": [{"name": "ls", "mixer": "ls_conv"}],
    "jobs": [
        {"train": {"epochs": 6, "batch_size": 20, "warmup_epochs": 1}},
        "evaluate",
        {"profile": {"batch_size": 2, "probes": ["params", "macs"]}},
        *({"counted": {"name": f"counted_{number}", "steps": 15 + 5 * number}} for number in range(6)),
    ],
    "seeds": [0],
}
NUM_JOBS = 9
#: What may differ between two runs of the same jobs: times, places, and how often they were tried.
UNEQUAL = frozenset(
    (
        "started_at",
        "ended_at",
        "wall_s",
        "seconds",
        "images_per_s",
        "attempts",
        "train_s",
        "provenance",
        "crc32",
    )
)
TIMED = "data_wait_frac"
#: Files that tell how the jobs went, or are not read once they are done.
ABOUT_THE_WAY = frozenset(("log.txt", "attempts.jsonl", "durations.jsonl", "early.json"))
#: Torch keeps compiled code here for later processes, as it would after a run that nothing disturbs.
CACHE_OF_TORCH = "torchinductor_"
#: What a run may say that ends with 2, as its Ray was killed twice: it is continued by the same command.
CONTINUED = (
    *("the local Ray has ended twice", "cannot be reached or started", "cannot be checked"),
    "a process of it ended; run the same command",
)
#: What Ray says when it ends the process that is about to join it, with 1.
ENDED_BY_RAY = ("Failed to register worker to Raylet", "The program will terminate")


class Kill(NamedTuple):
    """One kill: what was killed, in which phase of a run, and when, in seconds from its start."""

    kind: str
    phase: str
    at_s: float


class ChaosError(AssertionError):
    """Something was lost, doubled, changed or left behind."""


@dataclass
class Run:
    """One process of ``lsbench run``, with its output in files."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    started: float = field(default_factory=time.monotonic)
    kills: list[Kill] = field(default_factory=list)

    @property
    def phase(self) -> str:
        """How far the run has come, by what it has said so far."""
        said, events = self.err.read_text(errors="replace"), self.out.read_text(errors="replace")
        if "ending Ray" in said:
            return "end"
        if '"event": "start"' in events:
            return "jobs"
        return "preflight" if "looking at the data" in said else "start"

    def labels(self, event: str, state: str | None = None) -> list[str]:
        """Return the labels of the jobs of which the run has told an event."""
        lines = [line for line in self.out.read_text().splitlines() if line.endswith("}")]
        found = [json.loads(line) for line in lines if line.startswith('{"event"')]
        return [one["label"] for one in found if one["event"] == event and state in (None, one.get("state"))]


class Chaos:
    """Rounds of runs in one folder, and the count of what was killed."""

    def __init__(self, folder: Path, seed: int, tell: Callable[[str], None] = lambda line: None) -> None:
        """Write the suite and the package of its jobs.

        Args:
            folder: A new folder for everything.
            seed: Decides what is killed, and when.
            tell: Receives a line for each round.
        """
        self.folder, self.seed, self.tell = folder, seed, tell
        self.random = random.Random(seed)
        self.kills: list[Kill] = []
        self.runs, self.ends = 0, Counter[str]()
        self._bag: list[str] = []
        self.mark = uuid.uuid4().hex
        self._site = folder / "site"
        write_package(self._site)
        (folder / "chaos.yaml").write_text(yaml.safe_dump(SUITE, sort_keys=False))
        # Sockets of Ray have short paths.
        self.temporary = Path(tempfile.mkdtemp(prefix="lsb"))

    def undisturbed(self) -> dict[str, str]:
        """Return the content of the store after a run that nothing disturbs, without Ray."""
        run = self._start("undisturbed", "--scheduler", "inline")
        if run.process.wait() != 0:
            raise ChaosError(f"the undisturbed run failed:\n{run.err.read_text()}")
        return content_of(self._root("undisturbed"))

    def round(self, number: int, most_kills: int, expected: dict[str, str]) -> list[Kill]:
        """Run the suite to its end in a new results folder; return what was killed meanwhile.

        Raises:
            ChaosError: If a finished job was lost or doubled, its results differ from `expected`, or a
                process or folder of the runs is left.
        """
        name, done, made = f"round-{number}", set[str](), list[Kill]()
        while True:
            run = self._start(name)
            self._disturb(run, most_kills - len(made))
            made += run.kills
            again = done.intersection(run.labels("start"))
            if again:
                raise ChaosError(f"finished jobs ran again: {sorted(again)} ({run.out})")
            done.update(run.labels("end", "ok"))
            if self._is_over(run):
                break
        self.kills += made
        self._check_store(name, expected)
        self._check_nothing_left()
        told = ", ".join(f"{kill.kind} in {kill.phase}" for kill in made)
        self.tell(f"round {number}: {len(made)} kills ({told})")
        shutil.rmtree(self._root(name))
        return made

    def counts(self) -> str:
        """Return a table of the kills by kind and phase."""
        found = Counter((kill.kind, kill.phase) for kill in self.kills)
        lines = ["| killed | " + " | ".join(PHASES) + " | all |", "| --- |" + " ---: |" * (len(PHASES) + 1)]
        for kind in KINDS:
            row = [found[kind, phase] for phase in PHASES]
            lines.append(f"| {kind} | {' | '.join(map(str, row))} | {sum(row)} |")
        ends = ", ".join(f"{count} with {how}" for how, count in sorted(self.ends.items()))
        return "\n".join(
            [*lines, f"{len(self.kills)} kills in {self.runs} runs; ended early: {ends or 'none'}"]
        )

    def close(self) -> None:
        """End what is left and remove the folder of temporary files."""
        for process in self._marked():
            process.kill()
        shutil.rmtree(self.temporary, ignore_errors=True)

    def _start(self, name: str, *words: str) -> Run:
        self.runs += 1
        out, err = self.folder / f"{name}-{self.runs}.out", self.folder / f"{name}-{self.runs}.err"
        place = os.pathsep.join([str(self._site), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-P", "-m", "lsbench", "run", "chaos.yaml", "--json", "--results", name]
        with out.open("wb") as told, err.open("wb") as said:
            process = subprocess.Popen(
                [*command, *words],
                cwd=self.folder,
                env={
                    **os.environ,
                    "PYTHONPATH": place,
                    "TMPDIR": str(self.temporary),
                    "LSBENCH_TEST_MARK": self.mark,
                    "OMP_NUM_THREADS": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=said,
            )
        return Run(process, out, err)

    def _root(self, name: str) -> Path:
        return self.folder / name / "chaos" / "default"

    def _disturb(self, run: Run, most: int) -> None:
        """Kill processes of a run until it has ended."""
        is_quiet = self.random.random() >= STARTS
        is_chosen, at_end = self.random.random() < ENDS, self.random.choice(AT_END)
        is_ending, kind, due = False, "", 0.0
        while run.process.poll() is None:
            now, phase = time.monotonic(), run.phase
            if phase == "end" and not is_ending:
                is_ending, kind, due = (
                    True,
                    at_end if is_chosen else "",
                    now + self.random.uniform(0, LATEST_S["end"]),
                )
            elif not kind and not is_ending and not (is_quiet and phase == "start"):
                kind, due = self._next_kind(phase), now + self.random.uniform(0, LATEST_S[phase])
            if kind and now > due and len(run.kills) < most:
                victim = next(self._of_kind(kind, run.process.pid), None)
                if victim is not None:
                    kill(victim)
                    run.kills.append(Kill(kind, phase, now - run.started))
                elif now < due + LOOK_S:
                    time.sleep(0.05)
                    continue
                else:
                    self._bag.append(kind)
                kind = ""
            time.sleep(0.05)

    def _next_kind(self, phase: str) -> str:
        """Return a kind that exists in a phase; in the long run, each is drawn by its share."""
        absent = ("child", "fork server") if phase == "start" else ()
        if not set(self._bag).difference(absent):
            self._bag += [kind for kind, count in KINDS.items() for _ in range(count)]
        kind = self.random.choice([kind for kind in self._bag if kind not in absent])
        self._bag.remove(kind)
        return kind

    def _of_kind(self, kind: str, driver: int) -> Iterator[psutil.Process]:
        """Yield the processes of a kind in a random order; of workers, those with work come first."""
        try:
            found = [psutil.Process(driver), *psutil.Process(driver).children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        found = [one for one in found if kind_of(one, driver) == kind]
        self.random.shuffle(found)
        yield from sorted(found, key=is_idle)

    def _is_over(self, run: Run) -> bool:
        """Return whether all jobs are done; a run that ended before may be continued.

        Raises:
            ChaosError: If it ended in a way that no kill explains.
        """
        code, said = run.process.returncode, run.err.read_text(errors="replace")
        if code == 0:
            return True
        was_killed = code == -9 and any(kill.kind == "driver" for kill in run.kills)
        lost = sum(kill.kind in ("raylet", "gcs", "worker", "fork server", "child") for kill in run.kills)
        is_told = code == 2 and lost and any(words in said for words in CONTINUED)
        is_told = is_told or (code == 1 and lost and any(words in said for words in ENDED_BY_RAY))
        self.ends[f"exit code {code}"] += 1
        if not (was_killed or is_told) or "Traceback" in said:
            raise ChaosError(f"ended with {code} after {run.kills} ({run.err}):\n{said[-3000:]}")
        return False

    def _check_store(self, name: str, expected: dict[str, str]) -> None:
        last = self._start(name)
        if last.process.wait() != 0 or "nothing left to do" not in last.err.read_text():
            raise ChaosError(f"the run after the last one found something to do:\n{last.err.read_text()}")
        root = self._root(name)
        ids = Counter(line["job_id"] for line in lines_of(root / "jobs.jsonl"))
        if len(ids) != NUM_JOBS or set(ids.values()) != {1}:
            raise ChaosError(f"jobs.jsonl: {len(ids)} of {NUM_JOBS} jobs, as often as {sorted(ids.values())}")
        keys = Counter(map(record_key, lines_of(root / "records.jsonl")))
        if twice := [key for key, count in keys.items() if count > 1]:
            raise ChaosError(f"records.jsonl: twice {twice}")
        found = content_of(root)
        differing = sorted(
            key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)
        )
        if differing:
            raise ChaosError(f"differs from the undisturbed store: {differing} ({root})")

    def _check_nothing_left(self) -> None:
        deadline = time.monotonic() + LEAVE_S
        while (left := self._marked()) and time.monotonic() < deadline:
            psutil.wait_procs(left, timeout=1)
        if left:
            raise ChaosError(f"processes are left: {[process.cmdline() for process in left]}")
        found = [path for path in self.temporary.glob("*") if not path.name.startswith(CACHE_OF_TORCH)]
        if found := sorted(str(inner) for path in found for inner in (path, *path.rglob("*"))):
            raise ChaosError(f"temporary files are left: {found[:20]}")

    def _marked(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._is_marked(process)]

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("LSBENCH_TEST_MARK") == self.mark
        except psutil.Error:
            return False


def kind_of(process: psutil.Process, driver: int) -> str:
    """Return the kind of a process of a run, or an empty text."""
    try:
        if process.pid == driver:
            return "driver"
        name = process.name()
        if name.startswith("ray::"):
            return "worker"
        if is_fork_server(process):
            parent = process.parent()
            return "child" if parent is not None and is_fork_server(parent) else "fork server"
    except psutil.Error:
        return ""
    return {"raylet": "raylet", "gcs_server": "gcs"}.get(name, "")


def is_fork_server(process: psutil.Process) -> bool:
    """Return whether a process is a fork server or one of its children."""
    return "lsbench.scheduler.forkserver" in process.cmdline()


def is_idle(process: psutil.Process) -> bool:
    """Return whether a process is a worker of Ray without work."""
    try:
        return process.name().startswith("ray::IDLE")
    except psutil.Error:
        return True


def kill(process: psutil.Process) -> None:
    """Kill a process, which may have ended meanwhile."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def write_package(site: Path) -> None:
    """Write an installed package that offers the job kind `counted`."""
    info = site / "counted-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counted\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[lsbench.jobs]\ncounted = counted_job\n")
    shutil.copy(Path(__file__).with_name("counted_job.py"), site)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a journal."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def content_of(root: Path) -> dict[str, str]:
    """Return what must be equal after any two runs: a digest of each file."""
    found = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix()
        if path.name in ABOUT_THE_WAY or path.name == ".lock" or is_cache(path.name):
            continue
        if path.suffix == ".jsonl":
            lines = sorted(json.dumps(without_times(line), sort_keys=True) for line in lines_of(path))
            found[name] = digest("\n".join(lines).encode())
        elif is_step_file(path.name) and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as file:  # tensors, one by one; values beside them hold times
                for one in file.namelist():
                    if not one.endswith(("data.pkl", "serialization_id")):
                        found[f"{name}:{one}"] = digest(file.read(one))
        elif path.suffix == ".json":
            content = without_times(json.loads(path.read_text()))
            found[name] = digest(json.dumps(content, sort_keys=True).encode())
        else:
            found[name] = digest(path.read_bytes())
    return found


def without_times(value: Any) -> Any:
    """Return a value of JSON without what may differ."""
    if isinstance(value, list):
        return [without_times(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("metric") == TIMED:
        value = {**value, "value": None}
    return {key: without_times(one) for key, one in value.items() if key not in UNEQUAL and key != TIMED}


def digest(content: bytes) -> str:
    """Return a short hash."""
    return hashlib.sha256(content).hexdigest()[:16]


def main() -> None:
    """Make rounds until enough processes were killed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=20, help="kills of a round")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chaos"))
    os.environ.setdefault("LSBENCH_CACHE", str(folder / "cache"))
    os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[2] / ".pytest_cache" / "loops"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # and nothing is left
    chaos = Chaos(folder, given.seed, lambda line: print(line, flush=True))
    began, number = time.monotonic(), 0
    try:
        expected = chaos.undisturbed()
        while len(chaos.kills) < given.kills:
            number += 1
            chaos.round(number, given.most, expected)
    except ChaosError:
        print(f"failed in round {number} of --seed {given.seed} after {len(chaos.kills)} kills; see {folder}")
        raise
    finally:
        chaos.close()
    print(
        f"{chaos.counts()}, {number} rounds and {time.monotonic() - began:.0f} s: everything as undisturbed"
    )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
