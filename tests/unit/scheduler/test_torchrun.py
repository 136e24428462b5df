"""The ranks of one node: real processes, with a job that cannot run or has to wait."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from lsbench.core.lock import locked
from lsbench.scheduler.torchrun import Listener, free_endpoint, how_ranks_ended, root_cause, run_apart
from lsbench.store.results import SPEC
from lsbench.suite.graph import JobGraph

LOST = {"ev": "error", "error_class": "worker_lost", "message": "another rank is gone"}
OWN = {"ev": "error", "error_class": "DataError", "message": "torn"}


@pytest.fixture
def request_of(
    tmp_path: Path, tiny: dict[str, Any], make_graph: Callable[..., JobGraph]
) -> Callable[..., dict[str, Any]]:
    """Return a request for two ranks of a training with a mixer of this name."""

    def make(mixer: str) -> dict[str, Any]:
        tiny["jobs"][0]["train"]["resources"] = {"num_ranks": 2, "num_gpus": 0}
        job = next(job for job in make_graph(tiny).jobs if job.kind == "train")
        (tmp_path / SPEC).write_text(job.model_dump_json().replace('"ls_conv"', f'"{mixer}"'))
        return {"folder": str(tmp_path), "log": str(tmp_path / "log.txt"), "part": {"num_ranks": 2}}

    return make


def test_the_error_of_a_rank_is_the_jobs_and_its_lines_are_in_the_log(
    request_of: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    events: list[dict[str, Any]] = []
    assert run_apart(request_of("no_such_mixer"), events.append) == 1
    assert [event["ev"] for event in events] == ["error"]
    assert events[0]["error_class"] == "UnknownNameError"
    assert "no_such_mixer" in events[0]["message"]
    assert re.search(r"\[rank [01]\] Traceback", (tmp_path / "log.txt").read_text())


def test_no_rank_outlives_what_started_it(request_of: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    request, status = request_of("ls_conv"), []
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with locked(tmp_path / ".lock", what="held by the test"):  # the first rank waits for it
        thread = threading.Thread(target=lambda: status.append(run_apart(request, lambda event: None)))
        thread.start()
        while len(ranks := named("lsbench.scheduler.rank", before)) < 2:
            assert thread.is_alive()
        [launcher] = named("lsbench.scheduler.torchrun", before)
        assert all(address.startswith("127.") for one in [launcher, *ranks] for address in listening(one))
        assert list(listening(launcher))
        launcher.kill()
        thread.join(timeout=60)
    assert status == [-9]
    _, alive = psutil.wait_procs(ranks, timeout=10)
    assert alive == []


@pytest.mark.slow
def test_ranks_that_are_asked_to_stop_end_as_preempted(
    request_of: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    request, events = request_of("ls_conv"), []
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with locked(tmp_path / ".lock", what="held by the test"):  # the first rank waits for it
        thread = threading.Thread(target=lambda: run_apart(request, events.append))
        thread.start()
        while len(named("lsbench.scheduler.rank", before)) < 2:
            assert thread.is_alive()
        [launcher] = named("lsbench.scheduler.torchrun", before)
        launcher.send_signal(signal.SIGTERM)
        thread.join(timeout=60)
    assert [event["error_class"] for event in events if event["ev"] == "error"] == ["preempted"]
    assert named("lsbench.scheduler.rank", before) == []


def listening(process: psutil.Process) -> Iterator[str]:
    """Yield the addresses on which a process listens."""
    for connection in process.net_connections():
        if connection.status == psutil.CONN_LISTEN:
            yield connection.laddr.ip


def named(module: str, before: set[int]) -> list[psutil.Process]:
    """Return the processes of this test, started since, that run a module."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.pid not in before and module in process.cmdline():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def test_an_error_of_ones_own_explains_the_loss_of_the_others() -> None:
    ended = {"message": "rank 1 was killed", "was_killed": True}
    assert root_cause([LOST, OWN], ended) == {"error_class": "DataError", "message": "torn"}
    assert root_cause([LOST], ended) == {"error_class": "worker_lost", **ended}
    assert root_cause([], ended)["error_class"] == "worker_lost"


def test_the_first_rank_that_failed_gives_the_message_or_else_the_one_that_was_killed() -> None:
    unreachable = {"ev": "error", "error_class": "communication", "message": "connection refused"}
    killed = {"message": "rank 1 was killed by SIGKILL", "was_killed": True}
    left = {"message": "rank 1 ended with exit status 3", "was_killed": False}
    second = {**OWN, "message": "the second"}
    assert root_cause([unreachable, OWN, second], killed)["message"] == "torn"
    assert root_cause([LOST, unreachable], killed)["message"] == killed["message"]
    assert root_cause([LOST, unreachable], left)["message"] == "connection refused"
    assert root_cause([LOST], left)["message"] == left["message"]


@pytest.mark.parametrize(
    ("codes", "message", "was_killed"),
    [
        ({0: 1, 1: -9}, "rank 1 was killed by SIGKILL", True),
        ({2: -11}, "rank 2 was killed by SIGSEGV", True),
        ({2: -7, 0: 1}, "rank 2 was killed by SIGBUS (Bus error): ", True),
        ({1: 3, 0: 1}, "rank 1 ended with exit status 3", False),
    ],
)
def test_how_ranks_ended_names_the_one_to_blame(
    codes: dict[int, int], message: str, was_killed: bool
) -> None:
    failures = {rank: SimpleNamespace(exitcode=code) for rank, code in codes.items()}
    told = how_ranks_ended(failures)
    assert told["message"].startswith(message)
    assert told["was_killed"] is was_killed


def test_a_listener_takes_all_that_was_sent_before_it_stops(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    with Listener(tmp_path / "s", events.append) as listener:
        for sent in ([{"ev": "step", "rank": 0}, LOST], [OWN]):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(tmp_path / "s"))
                text = "".join(json.dumps(event) + "\n" for event in sent)
                for half in (text[:9], text[9:]):
                    connection.sendall(half.encode())
    assert events == [{"ev": "step", "rank": 0}]
    assert sorted(error["error_class"] for error in listener.errors) == ["DataError", "worker_lost"]
    assert all(error["at"] > 0 for error in listener.errors)


def test_a_free_endpoint_can_be_taken() -> None:
    host, _, port = free_endpoint("127.0.0.1").rpartition(":")
    with socket.socket() as server:
        server.bind((host, int(port)))
