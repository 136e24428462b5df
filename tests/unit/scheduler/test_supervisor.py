"""The supervisor and the fork server that it starts: a real server, real children."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lsbench.core.errors import StoreError
from lsbench.core.forking import FOLDER, send_request
from lsbench.core.job import Job
from lsbench.core.lock import locked
from lsbench.core.log_tail import tail
from lsbench.scheduler.supervisor import begin, connect, run_request, server_folder
from lsbench.store.results import RESULT, SPEC
from lsbench.suite.graph import JobGraph
from lsbench.timing.launch import run_apart
from lsbench.timing.request import Budget, Request, Setting, TimedModel

FOREVER = 600.0


@pytest.fixture(scope="module")
def token() -> Iterator[str]:
    """The name of a fork server that this module shares; it leaves when its processes are killed."""
    name = secrets.token_hex(4)
    yield name
    for process in psutil.Process().children(recursive=True):
        if str(server_folder(name)) in process.cmdline():
            process.kill()
            process.wait()
    shutil.rmtree(server_folder(name), ignore_errors=True)


@pytest.fixture
def job_folder(tmp_path: Path, tiny: dict[str, Any], make_graph: Callable[..., JobGraph]) -> Path:
    """The folder of a profile job that is ready to run."""
    graph = make_graph(tiny)
    job = next(job for job in graph.jobs if job.kind == "profile")
    return write_job(tmp_path / "job", job)


def write_job(folder: Path, job: Job) -> Path:
    folder.mkdir()
    (folder / SPEC).write_text(job.model_dump_json())
    return folder


def run(request: dict[str, Any], token: str, timeout_s: float = FOREVER) -> list[dict[str, Any]]:
    return list(run_request(request, token=token, watched_pid=os.getpid(), timeout_s=timeout_s))


def request_for(folder: Path, **env: str) -> dict[str, Any]:
    return {"action": "job", "folder": str(folder), "log": str(folder / "log.txt"), "env": env}


def test_a_job_runs_in_a_child_and_its_result_is_on_disk(token: str, job_folder: Path) -> None:
    events = run(request_for(job_folder, CUDA_VISIBLE_DEVICES=""), token)

    assert [event["ev"] for event in events[:2]] == ["start", "started"]
    assert events[-1] == {"ev": "end", "ok": True}
    assert (job_folder / RESULT).exists()
    assert events[1]["pid"] != os.getpid()
    assert not psutil.pid_exists(events[1]["pid"])


def test_a_second_request_uses_the_same_server(token: str) -> None:
    with connect(token, os.getpid()) as first, connect(token, os.getpid()) as second:
        assert first.getpeername() == second.getpeername()
    servers = [p for p in psutil.Process().children() if str(server_folder(token)) in p.cmdline()]
    assert len(servers) == 1


def test_a_failing_job_ends_with_its_own_error_and_a_log(token: str, job_folder: Path) -> None:
    spec = (job_folder / SPEC).read_text().replace('"mixer":"ls_conv"', '"mixer":"no_such_mixer"')
    (job_folder / SPEC).write_text(spec)

    end = run(request_for(job_folder), token)[-1]

    assert (end["ok"], end["error_class"]) == (False, "UnknownNameError")
    assert "no_such_mixer" in end["message"]
    assert "Traceback" in tail(job_folder / "log.txt", lines=1000)
    assert not (job_folder / RESULT).exists()


def test_a_job_over_its_time_is_killed(token: str, job_folder: Path) -> None:
    with locked(job_folder / ".lock", what="held by the test"):  # the job waits for it: it hangs
        events = run(request_for(job_folder), token, timeout_s=1.0)

    assert events[-1]["error_class"] == "timeout"
    assert_gone(events[1]["pid"])


def test_leaving_early_kills_the_child(token: str, job_folder: Path) -> None:
    with locked(job_folder / ".lock", what="held by the test"):
        stream = run_request(request_for(job_folder), token=token, watched_pid=os.getpid(), timeout_s=FOREVER)
        assert next(stream)["ev"] == "start"
        pid = next(stream)["pid"]
        stream.close()
        assert_gone(pid)


def test_a_child_that_is_killed_is_a_lost_worker(token: str, job_folder: Path) -> None:
    with locked(job_folder / ".lock", what="held by the test"):
        stream = run_request(request_for(job_folder), token=token, watched_pid=os.getpid(), timeout_s=FOREVER)
        next(stream)
        psutil.Process(next(stream)["pid"]).kill()
        end = list(stream)[-1]

    assert end["error_class"] == "worker_lost"
    assert end["message"].startswith("the job's process was killed by SIGKILL, without a result")


def test_a_child_that_is_asked_to_stop_says_so(token: str, job_folder: Path) -> None:
    with locked(job_folder / ".lock", what="held by the test"):
        stream = run_request(request_for(job_folder), token=token, watched_pid=os.getpid(), timeout_s=FOREVER)
        next(stream)
        pid = next(stream)["pid"]
        os.kill(pid, signal.SIGTERM)
        end = list(stream)[-1]

    assert (end["error_class"], end["ok"]) == ("preempted", False)


def test_a_cancelled_task_asks_its_child_to_stop_and_waits_for_its_end(token: str, job_folder: Path) -> None:
    with locked(job_folder / ".lock", what="held by the test"):
        stream = run_request(request_for(job_folder), token=token, watched_pid=os.getpid(), timeout_s=FOREVER)
        next(stream)
        pid = next(stream)["pid"]
        with pytest.raises(KeyboardInterrupt):
            stream.throw(KeyboardInterrupt)

    assert not psutil.pid_exists(pid)
    assert "PreemptedError" in tail(job_folder / "log.txt", lines=1000)


def test_preflight_names_the_variant_whose_options_are_wrong(token: str, tiny: dict[str, Any]) -> None:
    dataset = {"name": "fashion", "img_size": 32}
    good = {"name": "good", "model": "lsnet_nano", "mixer": "identity", "dataset": dataset}
    bad = {**good, "name": "bad", "mixer": "ls_conv", "mixer_args": {"kernel_large": 4}}

    events = run({"action": "preflight", "variants": [good, bad]}, token)

    problems = next(event["problems"] for event in events if event["ev"] == "preflight")
    assert len(problems) == 1
    assert problems[0].startswith("variant 'bad'")


def timing_of(budget: Budget) -> Request:
    model = TimedModel(model="lsnet_nano", mixer="identity")
    size = {"num_classes": 3, "img_size": 32, "batch_size": 2}
    return Request(subject=model, seed=0, **size, device="cpu", setting=Setting(), budget=budget)


def test_a_job_has_its_model_timed_by_its_server(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(token, os.getpid()).close()
    monkeypatch.setenv(FOLDER, str(server_folder(token)))
    reply = run_apart(timing_of(Budget(min_s=0, max_s=0.2, min_samples=6, max_samples=6)))
    assert len(reply.seconds) == 6
    assert all(seconds > 0 for seconds in reply.seconds)


def test_the_process_of_a_timing_has_one_thread_and_ends_with_who_asked_for_it(token: str) -> None:
    endless = timing_of(Budget(target_noise=1e-9, min_s=FOREVER, max_s=FOREVER))
    cpu = min(os.sched_getaffinity(0))
    asked = {"action": "timing", "request": endless.model_dump(mode="json"), "env": {}, "cpus": [cpu]}
    with connect(token, os.getpid()) as connection:
        send_request(connection, asked, ())
        [server] = [p for p in psutil.Process().children() if str(server_folder(token)) in p.cmdline()]
        while not (children := server.children()) or children[0].cpu_times().user < 0.5:
            time.sleep(0.02)
        assert (children[0].num_threads(), children[0].cpu_affinity()) == (1, [cpu])
    assert_gone(children[0].pid)
    assert server.is_running()


def test_a_server_that_has_begun_to_start_is_waited_for_and_one_that_ended_is_followed() -> None:
    name = secrets.token_hex(4)
    folder = server_folder(name)

    def servers() -> list[psutil.Process]:
        return [p for p in psutil.Process().children() if str(folder) in p.cmdline()]

    try:
        begin(name)
        [begun] = servers()
        with connect(name, os.getpid()):
            assert servers() == [begun]
        begun.kill()
        begun.wait()
        with connect(name, os.getpid()):
            [follower] = servers()
        follower.kill()
        follower.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr("sys.executable", "/bin/false")
    name = secrets.token_hex(4)
    try:
        with pytest.raises(StoreError, match="fork server did not start"):
            connect(name, os.getpid())
    finally:
        shutil.rmtree(server_folder(name))


def test_the_socket_path_stays_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/very/long" * 20)

    assert len(str(server_folder("0123abcd") / "fork.sock")) < 107


def assert_gone(pid: int) -> None:
    """Wait until a process of another parent has left; fail if it does not."""
    try:
        psutil.Process(pid).wait(timeout=10)
    except psutil.NoSuchProcess:
        return
    assert not psutil.pid_exists(pid)


def test_a_server_that_is_killed_as_it_starts_is_a_lost_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(killed))
    name = secrets.token_hex(4)
    try:
        [end] = run({"action": "preflight", "variants": []}, name)
    finally:
        shutil.rmtree(server_folder(name))
    assert (end["error_class"], end["ok"]) == ("worker_lost", False)
    assert end["message"] == "the fork server was killed by SIGKILL as it started"
