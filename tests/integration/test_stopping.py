"""Jobs that are asked to stop (SIGTERM) write a checkpoint first, and go on from it bit for bit."""

from __future__ import annotations

import signal
import time
from typing import Any

import psutil
import pytest

from .conftest import Cli, accuracies, follow, json_events

RUN = ("run", "tiny.yaml", "--json")
#: The same, without the seconds that a Ray of its own takes to start.
INLINE = (*RUN, "--scheduler", "inline")


def is_epoch(number: int) -> Any:
    return lambda event: event.get("ev") == "epoch" and event["epoch"] >= number


def repeated(events: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return the epochs, with the jobs' labels, that were trained twice."""
    seen = [(event["label"], event["epoch"]) for event in events if event.get("ev") == "epoch"]
    return [one for one in set(seen) if seen.count(one) > 1]


def checkpoints(cli: Cli) -> list[int]:
    found = cli.folder.rglob("step-*.pt")
    return sorted(int(path.stem.removeprefix("step-")) for path in found)


def test_a_run_that_is_asked_to_stop_saves_and_continues(
    cli: Cli, warm_cli: Cli, unbroken: dict[tuple[str, str], float]
) -> None:
    process = cli.start(*INLINE)
    follow(process, lambda event: event["event"] == "start")
    deadline = time.monotonic() + 120
    while not checkpoints(cli) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "run the same command to continue" in err
    [*_, newest] = checkpoints(cli)

    after = warm_cli.run(*INLINE)

    assert after.returncode == 0, after.stderr
    first = next(event for event in json_events(after.stdout) if event.get("ev") == "epoch")
    assert first["epoch"] == newest // 10 + 1, "an epoch has ten updates"
    assert accuracies(cli.folder) == unbroken


@pytest.mark.slow
def test_a_job_whose_node_goes_away_is_continued_without_using_up_a_retry(
    cli: Cli, unbroken: dict[tuple[str, str], float]
) -> None:
    suite = cli.folder / "tiny.yaml"
    suite.write_text(suite.read_text() + "resources: {max_retries: 0}\n")
    process = cli.start(*RUN)
    before = follow(process, is_epoch(2))
    pids = [event["pid"] for event in before if event.get("ev") == "started"]
    psutil.Process(pids[-1]).send_signal(signal.SIGTERM)

    out, err = process.communicate(timeout=300)

    assert process.returncode == 0, err
    after = json_events(out)
    [again] = [event for event in after if event.get("state") == "retry"]
    assert "preempted" in again["message"]
    assert repeated([*before, *after]) == []
    assert accuracies(cli.folder) == unbroken


@pytest.mark.slow
def test_a_driver_that_is_asked_to_stop_lets_its_jobs_save(
    cli: Cli, unbroken: dict[tuple[str, str], float]
) -> None:
    process = cli.start(*RUN)
    before = follow(process, is_epoch(2))
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err

    after = cli.run(*RUN)

    assert after.returncode == 0, after.stderr
    assert repeated([*before, *json_events(after.stdout)]) == []
    assert accuracies(cli.folder) == unbroken
