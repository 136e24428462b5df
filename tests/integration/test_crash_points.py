"""A crash before any operation of the store on a disk: what was promised is there, and the work goes on.

Each scenario runs once while its disk is watched, and is then continued from what each crash would have left.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lsbench.core.atomic import remove_parts, write_json, write_text
from lsbench.scheduler.driver_files import DriverFiles
from lsbench.scheduler.protocol import Event, Node
from lsbench.scheduler.run import RunOptions, run_suite
from lsbench.store import cleaning, mirror, owned, remote_owner, trials
from lsbench.store.earlier import EARLIER
from lsbench.store.early import EARLY
from lsbench.store.job_files import PREDICTIONS, WEIGHTS
from lsbench.store.lines import read_lines
from lsbench.store.results import JOBS, RESULT, ResultsFolder, record_key
from lsbench.suite.graph import JobGraph

from .chaos import content_of, lines_of
from .crash_disk import Crash, Disk

pytestmark = pytest.mark.filterwarnings("ignore::lsbench.core.plain_warnings.LsbenchWarning")
#: Crashes of each scenario that the plain suite looks at; `-m slow` looks at all.
SAMPLE = 5
#: Least number of crashes in all scenarios together.
MANY = 1000
STEP = "checkpoints/step-000000002.pt"


def storing(executor: type[Any]) -> type[Any]:
    """Return a fake executor that leaves in a job's folder what a job does beside its result."""

    class StoringExecutor(executor):  # type: ignore[misc]
        """A training leaves a step and weights; all leave a record that is known early, and an array."""

        def submit(self, job_id: str, folder: Path, spec: str, placement: Any, timeout_s: float) -> None:
            super().submit(job_id, folder, spec, placement, timeout_s)
            for place in (folder, (folder / STEP).parent):
                remove_parts(place)
            write_json(folder / EARLY, {})
            write_text(folder / PREDICTIONS, self.running[job_id][0].label)
            if job_id.startswith("train"):
                write_text(folder / STEP, "a step")
                write_text(folder / WEIGHTS, "weights")

        def poll(self, timeout_s: float) -> list[Event]:
            folders = {name: folder for name, (_, folder, _) in self.running.items()}
            events: list[Event] = super().poll(timeout_s)
            for event in events:
                if event.kind == "end":
                    (folders[event.job_id] / EARLY).unlink(missing_ok=True)
            return events

    return StoringExecutor


@dataclass(frozen=True)
class Scenario:
    """Work on a folder that was watched.

    Attributes:
        disk: What crashes of it would have left.
        check: Fails unless what was promised is in a folder, and continues the work there.
    """

    disk: Disk
    check: Callable[[Path, Crash], None]


class Suite:
    """A suite of jobs that compute nothing, run by the real driver in a folder of results."""

    def __init__(self, graph: JobGraph, executor: type[Any], watcher: type[Any]) -> None:
        self.graph, self.executor, self.watcher = graph, executor, watcher

    def run(self, results: Path, watcher: Any = None, *, ends: Any = None, **options: Any) -> Any:
        executor = self.executor([Node("node", 4)], ends)
        watcher = watcher or self.watcher()
        run_suite(
            self.graph,
            RunOptions(results, **options),
            create_executor=lambda: executor,
            create_watcher=lambda plan, folder: watcher,
        )
        return executor

    def folder(self, results: Path) -> ResultsFolder:
        return ResultsFolder(results / self.graph.suite.name / self.graph.suite.preset)

    def assert_whole(self, results: Path) -> None:
        """Fail unless each job is in the journals as done, once, with each of its records once."""
        folder = self.folder(results)
        lines = [line["job_id"] for line in lines_of(folder.root / JOBS) if line["status"] == "ok"]
        assert Counter(lines) == Counter(self.graph.by_id().keys())
        keys = Counter(record_key(record) for record in lines_of(folder.root / "records.jsonl"))
        assert set(keys.values()) == {1}
        for name in self.graph.by_id():
            result = folder.result(name)
            assert result is not None
            assert {record_key(record) for record in result["records"]} <= keys.keys()
        assert folder.reconcile() == 0


@pytest.fixture
def suite(
    tiny: dict[str, Any], make_graph: Callable[..., JobGraph], fake_executor: type[Any], watcher: Any
) -> Suite:
    return Suite(
        make_graph({**tiny, "variants": tiny["variants"][:1], "seeds": [0]}),
        storing(fake_executor),
        type(watcher),
    )


def told(watcher: Any) -> tuple[tuple[str, str], ...]:
    """Return the ends of jobs that a user has been told of."""
    return tuple((label, state) for label, state, _ in watcher.ended)


@pytest.fixture
def a_run(suite: Suite, tmp_path: Path) -> Scenario:
    """A run of which one job is lost once, and one fails and is run again by the next."""
    results, watcher = tmp_path / "results", suite.watcher()
    results.mkdir()
    ends = {"ls/train/seed0": ["worker_lost"], "ls/evaluate/seed0": ["ValueError"]}
    disk = Disk(results, lambda: told(watcher))
    with disk.watching():
        suite.run(results, watcher, ends=ends)
        suite.run(results, watcher)
    expected = content_of(suite.folder(results).root)
    ids = {job.label: str(job.id) for job in suite.graph.jobs}

    def check(found: Path, crash: Crash) -> None:
        folder = suite.folder(found)
        for label, state in crash.before:
            assert state != "ok" or folder.result(ids[label]) is not None, (label, "lost")
            assert state == "ok" or len(folder.attempts(ids[label])) >= 1, (label, "attempt lost")
        again = suite.run(found)
        finished = {label for label, state in crash.before if state == "ok"}
        assert not finished.intersection(again.submitted())
        suite.assert_whole(found)
        assert only_done(content_of(folder.root)) == only_done(expected)

    return Scenario(disk, check)


def only_done(content: dict[str, str]) -> dict[str, str]:
    """Return the content without journals, which may tell of failures, and without what is not read."""
    return {name: one for name, one in content.items() if not name.endswith((".jsonl", EARLY))}


@pytest.fixture
def a_run_again(suite: Suite, tmp_path: Path) -> Scenario:
    """A run that measures finished jobs again: their results are set aside."""
    results, watcher = tmp_path / "results", suite.watcher()
    suite.run(results)
    before = {str(job.id): suite.folder(results).result(str(job.id)) for job in suite.graph.jobs}
    again = [str(job.id) for job in suite.graph.jobs if job.kind != "train"]
    disk = Disk(results, lambda: told(watcher))
    with disk.watching():
        suite.run(results, watcher, rerun=["*/evaluate/*", "*/profile"])

    def check(found: Path, crash: Crash) -> None:
        folder = suite.folder(found)
        for name in before:
            places = [folder.job_folder(name), *(folder.root / EARLIER / name).glob("*")]
            assert any((place / RESULT).exists() for place in places), (name, "lost")
        suite.run(found)
        suite.assert_whole(found)
        kept = [path.parent.name for path in (folder.root / EARLIER).glob("*/1") if (path / RESULT).exists()]
        assert set(kept) <= set(again)

    return Scenario(disk, check)


@pytest.fixture
def a_clean(suite: Suite, tmp_path: Path) -> Scenario:
    """The removal of steps, and of jobs that the suite no longer expects."""
    results = tmp_path / "results"
    suite.run(results)
    folder = suite.folder(results)
    stale = folder.job_folder("evaluate-of-before")
    shutil.copytree(
        folder.job_folder(str(next(j.id for j in suite.graph.jobs if j.kind == "evaluate"))), stale
    )
    result = json.loads((stale / RESULT).read_text().replace(str(suite.graph.jobs[0].id), stale.name))
    result["job"]["job_id"] = stale.name
    for record in result["records"]:
        record["job_id"] = stale.name
    write_json(stale / RESULT, result)
    disk = Disk(results)
    with disk.watching():
        removed = cleaning.remove(folder)
    assert {one.waste for one in removed} == {cleaning.Waste.JOBS, cleaning.Waste.CHECKPOINTS}
    numbers = {record_key(record) for record in folder.records()}
    assert any(key[0] == stale.name for key in numbers)

    def check(found: Path, crash: Crash) -> None:
        folder = suite.folder(found)
        cleaning.remove(folder)
        assert cleaning.find_removable(folder) == []
        for job in suite.graph.jobs:
            assert folder.result(str(job.id)) is not None
            assert job.kind != "train" or (folder.job_folder(str(job.id)) / WEIGHTS).read_text() == "weights"
        folder.reconcile()
        assert {record_key(record) for record in folder.records()} == numbers

    return Scenario(disk, check)


@pytest.fixture
def lines(tmp_path: Path) -> Scenario:
    """Epochs, takeovers and trials of a search, line by line."""
    root, said = tmp_path / "lines", list[int]()
    (root / "job").mkdir(parents=True)
    folder = ResultsFolder(root)
    disk = Disk(root, lambda: len(said))
    with disk.watching():
        write_all_lines(folder, said)

    def check(found: Path, crash: Crash) -> None:
        found_folder, kept = ResultsFolder(found), crash.before
        read = [one["number"] for one in all_lines(found_folder)]
        assert sorted(read)[:kept] == [*range(kept)]
        assert len(read) == len(set(read))
        write_all_lines(found_folder, [], start=len(read))
        assert sorted(one["number"] for one in all_lines(found_folder)) == [*range(NUM_LINES)]

    return Scenario(disk, check)


NUM_LINES = 24


def write_all_lines(folder: ResultsFolder, said: list[int], start: int = 0) -> None:
    for number in range(start, NUM_LINES):
        line = {"number": number, "epoch": number, "text": "x" * number}
        add = (trials.add_epoch, trials.add_takeover)[number % 2]
        add(folder.root / "job", line) if number % 3 else trials.add_trial(folder, line)
        said.append(number)


def all_lines(folder: ResultsFolder) -> list[dict[str, Any]]:
    names = (f"job/{trials.EPOCHS}", f"job/{trials.SCHEDULE}", trials.TRIALS)
    paths = [folder.root / name for name in names]
    return [line for path in paths for line in read_lines(path, warn=lambda text: None)]


@pytest.fixture
def sent_files(tmp_path: Path) -> Scenario:
    """Files of a job that arrive in pieces from a node that does not see the folder."""
    root, arrived = tmp_path / "results", dict[str, bytes]()
    (root / "jobs").mkdir(parents=True)
    contents = {f"checkpoints/step-{number:09}.pt": bytes([65 + number]) * 90 for number in range(3)}
    contents[RESULT] = b"{}"

    def send(root: Path, attempt: int, note: dict[str, bytes]) -> None:
        files = DriverFiles(str(root))
        there = files.begin("train-1", attempt)
        for name, content in contents.items():
            if there.get(name) == len(content):
                continue
            for start in range(0, len(content), 30):
                files.write("train-1", attempt, name, start, content[start : start + 30], len(content))
            note[name] = content

    disk = Disk(root, lambda: tuple(arrived.items()))
    with disk.watching():
        send(root, 1, arrived)

    def check(found: Path, crash: Crash) -> None:
        place = found / "jobs" / "train-1"
        for name, content in crash.before:
            assert (place / name).read_bytes() == content
        for path in place.rglob("*"):
            name = path.relative_to(place).as_posix()
            assert path.is_dir() or name not in contents or path.read_bytes() == contents[name], (
                name,
                "half",
            )
        send(found, 2, {})
        names = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
        assert names == contents.keys()

    return Scenario(disk, check)


@pytest.fixture
def a_training(tmp_path: Path) -> Scenario:
    """Steps of a training: the newest of them is gone on from, and it is as it was."""
    from lsbench.engine.checkpoints import Checkpoints

    root, saved = tmp_path / "training", list[int]()
    root.mkdir()

    def train(root: Path, note: list[int]) -> None:
        checkpoints = Checkpoints(root / "checkpoints")
        checkpoints.prepare()
        state = checkpoints.load_newest() or {"step": 0, "chain": 1}
        while state["step"] < 6:
            state = {"step": state["step"] + 1, "chain": state["chain"] * 31 % 65537}
            checkpoints.save(state["step"], state)
            note.append(state["step"])
        checkpoints.keep_newest()

    disk = Disk(root, lambda: saved[-1] if saved else 0)
    with disk.watching():
        train(root, saved)
    expected = Checkpoints(root / "checkpoints").load_newest()

    def check(found: Path, crash: Crash) -> None:
        checkpoints = Checkpoints(found / "checkpoints")
        assert (checkpoints.newest_step() or 0) >= crash.before
        train(found, [])
        assert checkpoints.load_newest() == expected
        assert [path.name for path in (found / "checkpoints").iterdir()] == ["step-000000006.pt"]

    return Scenario(disk, check)


@pytest.fixture
def an_address(suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    """A run whose results are sent to an address, from the copy in the cache of its machine."""
    place, watcher = tmp_path / "all", suite.watcher()
    monkeypatch.setattr(mirror, "AT_A_TIME", 1)
    monkeypatch.setattr(owned, "EVERY_S", 1e-3)
    (place / "far").mkdir(parents=True)

    def run(machine: str) -> Path:
        monkeypatch.setenv("LSBENCH_CACHE", str(place / machine))
        owned._mirrors.clear()
        results = owned.results_at(f"file://{place / 'far'}")
        suite.run(results, watcher)
        owned._mirrors.clear()
        return results

    disk = Disk(place, lambda: told(watcher), keeps=("far",))
    with disk.watching():
        run("here")
    expected = only_done(content_of(suite.folder(place / "far").root))

    def check(found: Path, crash: Crash) -> None:
        shutil.rmtree(place)
        found.rename(place)  # a copy belongs to its address
        # Another machine reads: what a result or a journal names is there.
        monkeypatch.setenv("LSBENCH_CACHE", str(place / "other"))
        owned._mirrors.clear()
        far = suite.folder(owned.results_at(f"file://{place / 'far'}"))
        done = [name for name in far.begun() if far.is_done(name)]
        assert far.jobs().keys() <= set(done)
        assert all((far.job_folder(name) / PREDICTIONS).stat().st_size for name in done)
        # The same machine continues, at the latest when the lock of the dead owner has expired.
        monkeypatch.setattr(remote_owner, "EXPIRES_S", 0)
        watcher.ended.clear()
        suite.assert_whole(run("here"))
        again = {label for label, state in told(watcher) if state == "ok"}
        kept = crash.how == "killed" and {label for label, state in crash.before if state == "ok"}
        assert not (kept and kept & again)
        assert only_done(content_of(suite.folder(place / "far").root)) == expected

    return Scenario(disk, check)


SCENARIOS = ("a_run", "a_run_again", "a_clean", "lines", "sent_files", "a_training", "an_address")


def tried(scenario: Scenario, crashes: list[Crash], tmp_path: Path) -> None:
    """Continue from crashes; tell all that fail."""
    wrong = []
    for number, crash in enumerate(crashes):
        try:
            scenario.check(crash.write(tmp_path / f"crash-{number}"), crash)
        except Exception as error:  # noqa: BLE001 - all of them are told
            wrong.append(f"{crash.operation}, {crash.how}: {type(error).__name__}: {error}")
        shutil.rmtree(tmp_path / f"crash-{number}", ignore_errors=True)
    assert not wrong, f"{len(wrong)} of {len(crashes)}:\n" + "\n".join(wrong[:20])


@pytest.mark.parametrize("name", SCENARIOS)
def test_some_crashes_lose_nothing(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    scenario: Scenario = request.getfixturevalue(name)
    step = max(1, len(scenario.disk.crashes) // SAMPLE)
    tried(scenario, scenario.disk.crashes[step // 2 :: step], tmp_path)


#: Scenario -> the crashes that were tried.
_counts: dict[str, int] = {}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_crash_loses_anything(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    scenario: Scenario = request.getfixturevalue(name)
    tried(scenario, scenario.disk.crashes, tmp_path)
    _counts[name] = len(scenario.disk.crashes)
    print(f"{name}: {scenario.disk.operations} operations, {_counts[name]} crashes")
    assert _counts.keys() != set(SCENARIOS) or sum(_counts.values()) >= MANY
