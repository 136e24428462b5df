"""Asking the jobs of a node to end: with a fork server that answers as told, and with a real one."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lsbench.core.forking import SOCKET
from lsbench.core.lock import locked
from lsbench.scheduler import drain as draining
from lsbench.scheduler.drain import drain, main, own_servers
from lsbench.scheduler.supervisor import run_request, server_folder
from lsbench.store.results import SPEC
from lsbench.suite.graph import JobGraph


@pytest.fixture
def folder() -> Iterator[Path]:
    """The folder of a server of this user."""
    place = server_folder(f"test-{secrets.token_hex(3)}")
    place.mkdir(mode=0o700)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[[list[int]], list[Any]]]:
    """Start a server that answers with these numbers of jobs, one after another; return what it is asked."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def start(counts: list[int]) -> list[Any]:
        asked: list[Any] = []
        listener.bind(str(folder / SOCKET))
        listener.listen()

        def answer() -> None:
            for count in counts:
                connection, _ = listener.accept()
                with connection, connection.makefile("rwb") as stream:
                    asked.append(json.loads(stream.readline()))
                    stream.write(json.dumps({"ev": "stopping", "count": count}).encode() + b"\n")

        threading.Thread(target=answer, daemon=True).start()
        return asked

    yield start
    listener.close()


def test_it_waits_until_every_job_has_ended(
    folder: Path, serve: Callable[[list[int]], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "POLL_S", 0.001)
    asked = serve([2, 1, 0])
    assert drain([folder], wait_s=60) == (2, 0)
    assert asked == [{"action": "stop"}] * 3


def test_it_does_not_wait_for_ever(folder: Path, serve: Callable[[list[int]], list[Any]]) -> None:
    serve([3] * 5)
    assert drain([folder], wait_s=0) == (3, 3)


def test_a_folder_without_a_server_has_no_jobs(folder: Path, tmp_path: Path) -> None:
    assert drain([folder, tmp_path / "none"], wait_s=60) == (0, 0)


@pytest.mark.parametrize(
    ("counts", "code", "said"), [([1, 0], 0, "1 of 1 job has ended"), ([1, 1], 1, "0 of 1 job has ended")]
)
def test_the_command_speaks_for_all_servers_of_this_user(
    counts: list[int],
    code: int,
    said: str,
    folder: Path,
    serve: Callable[[list[int]], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert folder in own_servers()
    monkeypatch.setattr(draining, "own_servers", lambda: [folder])
    monkeypatch.setattr(draining, "POLL_S", 0.001)
    monkeypatch.setattr(sys, "argv", ["drain", "--wait", "60" if code == 0 else "0"])
    serve(counts)
    assert main() == code
    assert said in capsys.readouterr().out


def test_a_real_job_ends_as_preempted(
    tmp_path: Path, tiny: dict[str, Any], make_graph: Callable[..., JobGraph]
) -> None:
    job = next(job for job in make_graph(tiny).jobs if job.kind == "profile")
    (tmp_path / SPEC).write_text(job.model_dump_json())
    token = secrets.token_hex(4)
    request = {"action": "job", "folder": str(tmp_path), "log": str(tmp_path / "log.txt"), "env": {}}
    try:
        with locked(tmp_path / ".lock", what="held by the test"):  # the job waits for it
            stream = run_request(request, token=token, watched_pid=os.getpid(), timeout_s=600)
            assert [next(stream)["ev"], next(stream)["ev"]] == ["start", "started"]
            assert drain([server_folder(token)], wait_s=60) == (1, 0)
            assert list(stream)[-1]["error_class"] == "preempted"
    finally:
        for process in psutil.Process().children(recursive=True):
            if str(server_folder(token)) in process.cmdline():
                process.kill()
                process.wait()
        shutil.rmtree(server_folder(token), ignore_errors=True)
