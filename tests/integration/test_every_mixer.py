"""Every token mixer trains in the embedded preset that names them all."""

from __future__ import annotations

import pytest

from lsbench.core.registry import MIXERS
from lsbench.suite.loader import load_suite

from .conftest import Cli, read_lines


def test_the_preset_names_every_mixer() -> None:
    assert sorted(str(v.mixer) for v in load_suite("ablations", preset="mixers").variants) == MIXERS.names()


@pytest.mark.slow
def test_each_trains(cli: Cli) -> None:
    chosen = ("ablations", "--preset", "mixers", "--only", "train", "--limit", "2")
    done = cli.run("run", *chosen, "--set", "jobs.train.batch_size=8", "--scheduler", "inline")

    assert done.returncode == 0, done.stderr
    root = next((cli.folder / "results" / "ablations").iterdir())
    jobs, records = read_lines(root / "jobs.jsonl"), read_lines(root / "records.jsonl")
    assert {job["status"] for job in jobs} == {"ok"}
    losses = {record["job_id"]: record["value"] for record in records if record["metric"] == "train_loss"}
    assert len(losses) == len(jobs) == len(MIXERS.names())
    assert all(0 < loss < 10 for loss in losses.values())
