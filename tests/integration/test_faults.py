"""What must survive: kill -9 of the driver, of a Ray worker, of the fork server; and Ctrl-C."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from .conftest import Cli, accuracies, follow, json_events, read_lines

RUN = ("run", "tiny.yaml", "--json")
#: The same, without the seconds that a Ray of its own takes to start.
INLINE = (*RUN, "--scheduler", "inline")


def is_epoch(number: int) -> Any:
    return lambda event: event.get("ev") == "epoch" and event["epoch"] >= number


def assert_nothing_doubled(folder: Path, jobs: int) -> None:
    root = folder / "results" / "tiny" / "default"
    ids = Counter(line["job_id"] for line in read_lines(root / "jobs.jsonl"))
    assert len(ids) == jobs
    assert set(ids.values()) == {1}
    keys = Counter((r["job_id"], r["metric"], r["protocol"]) for r in read_lines(root / "records.jsonl"))
    assert set(keys.values()) == {1}


def test_a_killed_driver_is_continued_and_loses_nothing(
    cli: Cli, unbroken: dict[tuple[str, str], float]
) -> None:
    process = cli.start(*RUN)
    before = follow(process, is_epoch(3))
    process.kill()
    process.wait()
    killed = before[-1]

    after = cli.run(*RUN)

    assert after.returncode == 0, after.stderr
    events = json_events(after.stdout)
    finished = {event["label"] for event in before if event["event"] == "end"}
    assert not finished & {event.get("label") for event in events}
    epochs = [e["epoch"] for e in events if e.get("ev") == "epoch" and e["label"] == killed["label"]]
    assert all(epoch > killed["epoch"] for epoch in epochs)
    assert accuracies(cli.folder) == unbroken
    assert_nothing_doubled(cli.folder, jobs=6)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_by_itself(cli: Cli, unbroken: dict[tuple[str, str], float]) -> None:
    process = cli.start(*RUN)
    follow(process, is_epoch(2))
    workers = [p for p in cli.descendants() if p.name().startswith("ray::run_job")]
    assert workers
    workers[0].kill()

    out, err = process.communicate(timeout=300)

    assert process.returncode == 0, err
    lost = [event for event in json_events(out) if event.get("state") == "retry"]
    assert "worker_lost" in lost[0]["message"]
    assert accuracies(cli.folder) == unbroken
    assert_nothing_doubled(cli.folder, jobs=6)


@pytest.mark.slow
def test_a_killed_fork_server_loses_no_job(cli: Cli, unbroken: dict[tuple[str, str], float]) -> None:
    process = cli.start(*RUN)
    follow(process, is_epoch(2))
    servers = [p for p in cli.descendants() if is_fork_server(p)]
    for server in servers:
        server.kill()

    _, err = process.communicate(timeout=300)

    assert servers
    assert process.returncode == 0, err
    assert accuracies(cli.folder) == unbroken
    assert_nothing_doubled(cli.folder, jobs=6)


def is_fork_server(process: psutil.Process) -> bool:
    try:
        is_child = "lsbench.scheduler.forkserver" in " ".join(process.parent().cmdline())  # type: ignore[union-attr]
        return "lsbench.scheduler.forkserver" in process.cmdline() and not is_child
    except (psutil.NoSuchProcess, AttributeError):
        return False


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gcs_server", "raylet"])
def test_a_local_ray_that_loses_its_head_or_node_is_started_again(
    cli: Cli, unbroken: dict[tuple[str, str], float], name: str
) -> None:
    process = cli.start(*RUN)
    follow(process, is_epoch(2))
    [lost] = [p for p in cli.descendants() if p.name() == name]
    lost.kill()

    out, err = process.communicate(timeout=300)

    assert process.returncode == 0, err
    assert "starting it again" in err
    retries = [event["message"] for event in json_events(out) if event.get("state") == "retry"]
    assert set(retries) == {"node_lost: the local Ray ended"}
    assert accuracies(cli.folder) == unbroken
    assert_nothing_doubled(cli.folder, jobs=6)
    assert_nothing_left(cli)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ray::run_job", "forkserver", "child", "gcs_server", "raylet"])
def test_a_check_before_the_run_that_loses_a_process_is_made_again(cli: Cli, name: str) -> None:
    process = cli.start(*RUN, "--limit", "1")
    # Ray is there before the driver has joined it: the check has begun when a task of it runs.
    first = "ray::run_job" if name in ("gcs_server", "raylet") else name
    while not any(is_of(p, first) for p in cli.descendants()):
        assert process.poll() is None
    next(p for p in cli.descendants() if is_of(p, name)).kill()

    _, err = process.communicate(timeout=300)

    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert_nothing_left(cli)


def is_of(process: psutil.Process, name: str) -> bool:
    """Return whether a process is a fork server, its child, or named like this."""
    try:
        if name == "forkserver":
            return is_fork_server(process)
        if name == "child":
            parent = process.parent()
            return parent is not None and is_fork_server(parent)
        return process.name().startswith(name)
    except psutil.NoSuchProcess:
        return False


def assert_nothing_left(cli: Cli) -> None:
    """Fail if a process of a run, or a folder that it made for the time of the run, is still there."""
    deadline = time.monotonic() + 10
    while cli.descendants() and time.monotonic() < deadline:
        psutil.wait_procs(cli.descendants(), timeout=0.5)
    assert [process.cmdline() for process in cli.descendants()] == []
    assert cli.temporary is not None
    assert list(cli.temporary.rglob("*")) == []


@pytest.mark.slow
def test_a_second_ctrl_c_changes_nothing(cli: Cli) -> None:
    process = cli.start(*RUN)
    follow(process, is_epoch(1))
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)

    _, err = process.communicate(timeout=60)

    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert_nothing_left(cli)


@pytest.mark.slow
def test_what_a_killed_run_leaves_is_removed_by_the_next(cli: Cli) -> None:
    process = cli.start(*RUN)
    follow(process, is_epoch(1))
    process.kill()
    process.communicate(timeout=60)
    assert cli.temporary is not None
    assert list(cli.temporary.glob("ray/session_*"))
    deadline = time.monotonic() + 120
    while cli.descendants() and time.monotonic() < deadline:
        psutil.wait_procs(cli.descendants(), timeout=0.5)

    done = cli.run(*RUN)

    assert done.returncode == 0, done.stderr
    assert_nothing_left(cli)


def test_interrupt_exits_130_and_leaves_no_process(cli: Cli) -> None:
    process = cli.start(*RUN)
    follow(process, is_epoch(1))
    process.send_signal(signal.SIGINT)

    _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "interrupted" in err
    deadline = time.monotonic() + 5
    while cli.descendants() and time.monotonic() < deadline:
        psutil.wait_procs(cli.descendants(), timeout=0.5)
    assert [process.cmdline() for process in cli.descendants()] == []


def test_a_second_driver_is_told_who_owns_the_folder(cli: Cli) -> None:
    process = cli.start(*RUN)
    follow(process, lambda event: event["event"] == "start")

    second = cli.run(*INLINE)

    assert second.returncode == 2
    assert f"process {process.pid}" in second.stderr
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_second_run_does_nothing_and_a_new_row_runs_alone(cli: Cli) -> None:
    first = cli.run(*INLINE)
    again = cli.run(*INLINE)
    suite = cli.folder / "tiny.yaml"
    suite.write_text(suite.read_text().replace("jobs:", "  - {name: extra, mixer: involution}\njobs:"))
    more = cli.run(*INLINE)

    assert first.returncode == again.returncode == more.returncode == 0, (first.stderr, more.stderr)
    assert "nothing left to do" in again.stderr
    assert json_events(again.stdout) == []
    started = {event["label"] for event in json_events(more.stdout) if event["event"] == "start"}
    assert started == {"extra/train/seed0", "extra/evaluate/seed0", "extra/profile"}
    report = json.loads(more.stdout.splitlines()[-1])
    assert [row["variant"] for row in report["tables"][0]["rows"]] == ["identity", "ls_conv", "extra"]


def test_a_wrong_mixer_option_stops_the_run_before_any_job(cli: Cli) -> None:
    suite = cli.folder / "tiny.yaml"
    suite.write_text(suite.read_text().replace("mixer: ls_conv}", "mixer: ls_conv, mixer_args: {kernel: 7}}"))

    done = cli.run(*INLINE)

    assert done.returncode == 2
    assert "variant 'ls_conv'" in done.stderr
    assert "kernel" in done.stderr
    assert not list((cli.folder / "results").rglob("result.json"))
