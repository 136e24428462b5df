"""A job on a node that does not see the results: files come, go back as they appear, and nothing is left."""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lsbench.core.errors import StoreError
from lsbench.core.lock import locked
from lsbench.scheduler import carried_job, driver_files
from lsbench.scheduler.carried_job import CarriedJob, own_folder, remove_abandoned, run_carried, sees
from lsbench.scheduler.driver_files import DriverFiles
from lsbench.store.results import ALIVE_S, ResultsFolder, begin_job

SPEC = '{"needs": {"train": "train-1"}}'


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(driver_files, "PIECE", 7)
    monkeypatch.setattr(carried_job, "PIECE", 7)
    monkeypatch.setattr(carried_job, "EVERY_S", 0.001)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


class Far:
    """The driver's files, reached by name as through Ray, with the calls made so far."""

    def __init__(self, root: Path) -> None:
        self.root, self._files = root, DriverFiles(str(root))
        self.calls: list[tuple[Any, ...]] = []
        self.fails: Exception | None = None
        for folder, files in (
            ("evaluate-1", {"spec.json": SPEC, "checkpoints/step-000000001.pt": "one"}),
            ("train-1", {"checkpoints/weights.pt": "weights" * 9, "log.txt": "long", "spec.json": "{}"}),
        ):
            for name, text in files.items():
                path = root / "jobs" / folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def __call__(self, method: str, *words: Any) -> Any:
        self.calls.append((method, *words))
        if self.fails is not None:
            raise self.fails
        return getattr(self._files, method)(*words)

    def text(self, name: str) -> str:
        return (self.root / "jobs/evaluate-1" / name).read_text()

    def written(self) -> list[str]:
        names = (words[2] for method, *words in self.calls if method == "write")
        return list(dict.fromkeys(name for name in names if name != ".alive"))


@pytest.fixture
def far(tmp_path: Path) -> Far:
    return Far(tmp_path / "results")


@pytest.fixture
def job(far: Far, tmp_path: Path) -> CarriedJob:
    made = CarriedJob(far, tmp_path / "node/jobs/evaluate-1", 1)
    made.fetch(SPEC)
    return made


def test_a_node_sees_results_that_are_marked_and_can_be_written(tmp_path):
    place = {"root": str(tmp_path), "mark": ".shared-1"}
    assert not sees(place)
    (tmp_path / ".shared-1").touch()
    assert sees(place)
    assert not sees({**place, "mark": ".shared-2"}), "the folder of an earlier run on this node's own disk"


def test_the_jobs_files_and_those_it_needs_are_brought(job):
    assert (job.folder / "spec.json").read_text() == SPEC
    assert (job.folder / "checkpoints/step-000000001.pt").read_text() == "one"
    assert (job.folder.parent / "train-1/checkpoints/weights.pt").read_text() == "weights" * 9
    assert not (job.folder.parent / "train-1/log.txt").exists()


def test_only_what_has_changed_is_sent_and_the_result_last(job, far):
    job.send()
    assert far.written() == []
    for name in ("result.json", "early.json", ".half", "tables/a.csv"):
        (job.folder / name).parent.mkdir(exist_ok=True)
        (job.folder / name).write_text(name)
    os.utime(job.folder / "result.json", (1, 1))  # a clock that went back does not put it first
    job.send()
    assert far.written() == ["early.json", "tables/a.csv", "result.json"]
    (job.folder / "early.json").write_text("later")
    job.send()
    assert far.text("early.json") == "later"
    assert [w[2] for method, *w in far.calls if method == "write" and w[3] == 0][1:] == [
        *("early.json", "tables/a.csv", "result.json", "early.json")
    ]


def test_a_checkpoint_is_removed_after_the_newer_one_has_arrived(job, far):
    (job.folder / "checkpoints/step-000000002.pt").write_text("two")
    (job.folder / "checkpoints/step-000000001.pt").unlink()
    job.send()
    assert [call[0] for call in far.calls][-2:] == ["write", "remove"]
    assert [path.name for path in (far.root / "jobs/evaluate-1/checkpoints").iterdir()] == [
        "step-000000002.pt"
    ]
    job.send()
    assert far.calls[-1][0] == "remove", "nothing is sent or removed twice"


def test_the_settings_of_this_attempt_tell_what_it_needs(far, tmp_path):
    (far.root / "jobs/evaluate-1/spec.json").unlink()
    job = CarriedJob(far, tmp_path / "node/jobs/evaluate-1", 1)
    job.fetch(SPEC)
    assert (job.folder.parent / "train-1/checkpoints/weights.pt").exists()
    begin_job(job.folder, SPEC)
    job.send()
    assert far.text("spec.json") == SPEC


def test_the_log_is_added_to_that_of_earlier_attempts(job, far):
    (far.root / "jobs/evaluate-1/log.txt").write_text("first attempt\n")
    with (job.folder / "log.txt").open("a") as log:
        for line in ("second attempt\n", "and on\n"):
            log.write(line)
            log.flush()
            job.send()
    assert far.text("log.txt") == "first attempt\nsecond attempt\nand on\n"


def test_an_empty_log_is_sent_once(job, far):
    (job.folder / "log.txt").touch()
    job.send()
    job.send()
    assert far.text("log.txt") == ""
    assert [call[0] for call in far.calls].count("append") == 1


def test_other_parts_of_a_gang_send_their_log_alone(far, tmp_path):
    job = CarriedJob(far, tmp_path / "node/jobs/evaluate-1", 1, is_first=False)
    job.fetch(SPEC)
    (job.folder / "log.txt").write_text("rank 3")
    (job.folder / "early.json").write_text("{}")
    job.send()
    assert far.text("log.txt") == "rank 3"
    assert far.written() == []


def test_a_file_that_is_written_all_the_while_arrives_whole_in_the_end(job, far):
    """Readers see every state of the file that the job wrote, or an older one; never a mixture."""
    ended = threading.Event()

    def work() -> None:
        draw = random.Random(1)
        for number in range(60):
            part = job.folder / ".part"
            part.write_text(f"{number}," * draw.randrange(1, 9))
            part.replace(job.folder / "state.txt")
        ended.set()

    worker = threading.Thread(target=work)
    worker.start()
    while not ended.is_set():
        job.send()
        if (far.root / "jobs/evaluate-1/state.txt").exists():
            assert len(set(far.text("state.txt").split(","))) == 2
    worker.join()
    job.send()
    assert far.text("state.txt") == (job.folder / "state.txt").read_text()


def request_of(far: Far, **more: Any) -> dict[str, Any]:
    folder = far.root / "jobs/evaluate-1"
    return {"action": "job", "folder": str(folder), "log": str(folder / "log.txt"), "spec": SPEC, **more}


def test_a_job_runs_in_a_folder_of_the_node_and_the_driver_has_all_files_before_its_end(far, tmp_path):
    def run(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        folder = Path(request["folder"])
        assert folder.is_relative_to(tmp_path / "temporary")
        assert request["log"] == str(folder / "log.txt")
        yield {"ev": "start"}
        assert ResultsFolder(far.root).is_running("evaluate-1")
        (folder / "checkpoints/step-000000002.pt").write_text("two")
        while not (far.root / "jobs/evaluate-1/checkpoints/step-000000002.pt").exists():
            pass  # sent while the job goes on, without an event
        (folder / "result.json").write_text("{}")
        yield {"ev": "end", "ok": True}

    events = run_carried(request_of(far), far, 1, run)
    seen = [(event["ev"], (far.root / "jobs/evaluate-1/result.json").exists()) for event in events]
    assert seen == [("start", False), ("end", True)]
    assert not ResultsFolder(far.root).is_running("evaluate-1")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_job_whose_node_is_lost_counts_as_running_until_its_signs_of_life_are_old(job, far):
    folder = ResultsFolder(far.root)
    assert folder.is_running("evaluate-1")
    old = time.time() - ALIVE_S - 1
    os.utime(far.root / "jobs/evaluate-1/.alive", (old, old))
    assert not folder.is_running("evaluate-1")
    job.sign()
    assert not folder.is_running("evaluate-1"), "the last sign is not old enough here"
    job._signed_at -= carried_job.SIGN_S
    job.sign()
    assert folder.is_running("evaluate-1")


def test_an_attempt_that_was_given_up_ends_at_its_next_event(far):
    def run(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        far("begin", "evaluate-1", 2)  # the driver has started the job on another node
        number = 0
        while True:
            (Path(request["folder"]) / "early.json").write_text(str(number := number + 1))
            yield {"ev": "step"}

    *_, end = run_carried(request_of(far), far, 1, run)
    assert (end["ok"], end["error_class"]) == (False, "StoreError")
    assert "a newer attempt at this job is running" in end["message"]
    assert not (far.root / "jobs/evaluate-1/early.json").exists()


def test_a_way_that_is_closed_for_a_while_costs_nothing(far):
    def run(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        far.fails = ConnectionError("the actor is out of reach")
        (Path(request["folder"]) / "result.json").write_text("{}")
        before = len(far.calls)
        while len(far.calls) == before:
            yield {"ev": "step"}
        far.fails = None
        yield {"ev": "end", "ok": True}

    *_, end = run_carried(request_of(far), far, 1, run)
    assert end == {"ev": "end", "ok": True}
    assert far.text("result.json") == "{}"


def test_what_a_job_saves_when_it_is_asked_to_stop_is_sent(far):
    def run(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"ev": "start"}
        (Path(request["folder"]) / "checkpoints/step-000000009.pt").write_text("nine")
        raise KeyboardInterrupt

    events = run_carried(request_of(far), far, 1, run)
    next(events)
    with pytest.raises(KeyboardInterrupt):
        next(events)
    assert far.text("checkpoints/step-000000009.pt") == "nine"


def test_a_folder_on_its_way_out_removes_nothing_at_the_driver(job, far):
    job.folder.rename(job.folder.with_name("gone"))
    job.send()
    assert far.text("checkpoints/step-000000001.pt") == "one"


@pytest.mark.parametrize("ok", [True, False])
def test_files_that_cannot_be_sent_fail_the_attempt_and_hide_no_error_of_the_job(far, ok):
    def run(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        (Path(request["folder"]) / "result.json").write_text("{}")
        far.fails = ConnectionError("the actor is gone")
        yield (
            {"ev": "end", "ok": ok}
            if ok
            else {"ev": "end", "ok": False, "message": "NaN", "error_class": "x"}
        )

    *_, end = run_carried(request_of(far), far, 1, run)
    lost = "its files did not pass between node and driver: the actor is gone"
    assert (end["error_class"], end["message"]) == (("worker_lost", lost) if ok else ("x", "NaN"))


def test_a_folder_whose_owner_was_killed_is_removed_and_no_other(tmp_path):
    with own_folder() as mine:
        left = Path(tempfile.mkdtemp(prefix=mine.name[: mine.name.rindex("-") + 1]))
        with locked(left / ".lock", what="a killed job"):
            remove_abandoned(young_s=0)
            assert left.exists()
        remove_abandoned()
        assert left.exists(), "its owner may be about to take the lock"
        remove_abandoned(young_s=0)
        assert not left.exists()
        assert mine.exists()
    assert not mine.exists()


def test_files_of_the_newest_attempt_alone_are_taken(job, far):
    far("begin", "evaluate-1", 2)
    (job.folder / "early.json").write_text("{}")
    with pytest.raises(StoreError, match="newer attempt"):
        job.send()
