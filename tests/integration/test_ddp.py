"""Training with several ranks: the same as with one, and what it outlives."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from .conftest import Cli, follow, json_events

EPOCHS = 3
#: Nothing random but the order: no augmentation, mixing or dropout. Batch normalisation is synchronised.
#: Epochs take long enough to be interrupted where a test means to.
SUITE = f"""\
version: 1
name: tiny
defaults:
  model: lsnet_nano
  dataset: {{name: fashion, train_images: 1280, val_images: 100, test_images: 20}}
variants:
  - {{name: identity, mixer: identity}}
jobs:
  - train: {{epochs: {EPOCHS}, batch_size: 64, smoothing: 0.0, augment: {{flip: 0.0}}, channels_last: true}}
seeds: [0]
"""
RUN = ("run", "tiny.yaml", "--json")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def histories(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[int, list[dict[str, float]]]:
    """The epochs of the training by one rank with batches of 64, and by two with 32 each, never stopped."""
    found = {}
    for ranks in (1, 2):
        folder = tmp_path_factory.mktemp(f"ranks{ranks}")
        done = Cli(write_suite(folder, ranks)).run(*RUN, "--scheduler", "inline")
        assert done.returncode == 0, done.stderr
        found[ranks] = history(folder)
    return found


def write_suite(folder: Path, ranks: int) -> Path:
    (folder / "tiny.yaml").write_text(SUITE + f"resources: {{num_ranks: {ranks}, num_gpus: 0}}\n")
    return folder


def history(folder: Path) -> list[dict[str, float]]:
    [path] = (folder / "results" / "tiny").rglob("history.json")
    epochs: list[dict[str, float]] = json.loads(path.read_text())["epochs"]
    return epochs


def test_two_ranks_follow_the_loss_curve_of_one(histories: dict[int, list[dict[str, float]]]) -> None:
    one, two = histories[1], histories[2]
    assert len(one) == len(two) == EPOCHS
    assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=1e-5)
    for alone, shared in zip(one, two, strict=True):
        # Rounding in sums of another order grows from update to update.
        assert shared["loss"] == pytest.approx(alone["loss"], rel=2e-3)
        assert shared["lr"] == alone["lr"]
        assert shared["val_images"] == alone["val_images"] == 100
    # AdamW makes whole steps of rounding where a gradient is zero, as that of a bias before a batch
    # normalisation: nothing in training, but running means lag behind it, and validations with them.
    assert two[-1]["val_top1"] == pytest.approx(one[-1]["val_top1"], abs=0.03)
    assert one[-1]["loss"] < one[0]["loss"] / 2, "it has learned something"


def test_a_killed_rank_costs_only_time(cli: Cli, histories: dict[int, list[dict[str, float]]]) -> None:
    write_suite(cli.folder, 2)
    process = cli.start(*RUN)
    events = follow(process, in_epoch(2))
    assert events[0]["num_ranks"] == 2
    ranks = ranks_of(cli)
    [second] = [rank for rank in ranks if rank.environ()["RANK"] == "1"]
    second.kill()

    out, err = process.communicate(timeout=300)

    assert process.returncode == 0, err
    events = json_events(out)
    [lost] = [event["message"] for event in events if event.get("state") == "retry"]
    assert lost == "worker_lost: rank 1 was killed by SIGKILL"
    assert_gone(ranks)
    assert [event["epoch"] for event in events if event.get("ev") == "epoch"] == [2, 3]
    assert figures(history(cli.folder)) == figures(histories[2])


def test_a_killed_driver_and_a_killed_worker_leave_no_rank_and_cost_only_time(
    cli: Cli, histories: dict[int, list[dict[str, float]]]
) -> None:
    write_suite(cli.folder, 2)
    process = cli.start(*RUN)
    follow(process, in_epoch(2))
    ranks = ranks_of(cli)
    assert len(ranks) == 2
    process.kill()
    process.communicate(timeout=60)
    assert_gone(ranks)

    process = cli.start(*RUN)
    events = follow(process, in_epoch(3))
    assert all(event["epoch"] > 1 for event in events if "epoch" in event), "the first epoch is kept"
    ranks = ranks_of(cli)
    [worker] = [p for p in cli.descendants() if p.name().startswith("ray::run_job")]
    worker.kill()
    assert_gone(ranks)

    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert figures(history(cli.folder)) == figures(histories[2])


def test_an_interrupted_run_leaves_no_rank(cli: Cli) -> None:
    write_suite(cli.folder, 2)
    process = cli.start(*RUN)
    follow(process, in_epoch(1))
    ranks = ranks_of(cli)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert_gone(ranks)


def figures(epochs: list[dict[str, float]]) -> list[list[float]]:
    """Return what of a training must not depend on how it went, to the last bit."""
    return [[epoch[name] for name in ("loss", "lr", "val_top1")] for epoch in epochs]


def in_epoch(number: int) -> Callable[[dict[str, Any]], bool]:
    """Return what finds an event within an epoch, after the one before has been saved."""
    return lambda event: event.get("ev") == "step" and event["epoch"] >= number


def ranks_of(cli: Cli) -> list[psutil.Process]:
    return [process for process in cli.descendants() if "lsbench.scheduler.rank" in process.cmdline()]


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=15)
    assert [process.cmdline() for process in alive] == []
