"""Robustness jobs: the same predictions to the last image by any number of ranks, and after any kill."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsbench.core.job import Job, JobContext
from lsbench.engine.process import prepare_process
from lsbench.jobs.robustness import JOB
from lsbench.scheduler.torchrun import run_apart
from lsbench.store.results import SPEC

from .conftest import Cli, follow

#: Each rank that is started reads the compiled corruptions from the user's cache.
SUITE = """\
version: 1
name: tiny
defaults:
  model: lsnet_nano
  dataset: {{name: fashion, train_images: 400, val_images: 20, test_images: {images}}}
variants:
  - {{name: identity, mixer: identity}}
jobs:
  - train: {{epochs: 4, batch_size: 20, lr: 0.004, warmup_epochs: 0}}
  - robustness: {{resources: {{num_ranks: {ranks}, num_gpus: 0}}}}
seeds: [0]
"""
RUN = ("run", "tiny.yaml", "--json", "--scheduler", "inline")


def write_suite(folder: Path, *, ranks: int, images: int) -> None:
    (folder / "tiny.yaml").write_text(SUITE.format(ranks=ranks, images=images))


def job_folder(folder: Path) -> Path:
    [found] = (folder / "results" / "tiny" / "default" / "jobs").glob("robustness-*")
    return found


def predictions(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(folder / "predictions.npz") as file:
        return dict(file)


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    assert one["predictions"].shape[0] == len(one["cells"]) == 75
    assert len(np.unique(one["predictions"])) > 3, "the model tells images apart"
    for name, values in one.items():
        assert np.array_equal(values, other[name]), name


def figures(folder: Path) -> list[tuple[str, str, float]]:
    records = json.loads((folder / "result.json").read_text())["records"]
    return [(record["metric"], record["protocol"], record["value"]) for record in records]


def is_under_way(event: dict[str, Any]) -> bool:
    """Return whether the robustness job has said that an image is done."""
    return event.get("ev") == "step" and "/robustness" in event["label"]


def run_alone(folder: Path, target: Path) -> dict[str, Any]:
    """Return what the job in `folder` predicts if this process does it from its start to its end."""
    job = Job.model_validate_json((folder / SPEC).read_text())
    spec = JOB.spec.model_validate(job.spec)
    device = prepare_process(threads=spec.threads, seed=job.seed or 0, wants_gpu=False)
    needs = {name: folder.parent / str(needed) for name, needed in job.needs.items()}
    JOB.run(JobContext(job, spec, target, needs, device, lambda event: None))
    return predictions(target)


#: The command line in a process that kills itself in the middle of writing its sixth block.
KILLED = """
import os, signal, sys
import numpy as np
from lsbench.cli.main import main
from lsbench.robustness.blocks import PredictionBlocks

written, write = [], PredictionBlocks.write

def write_or_die(self, block, predictions):
    written.append(block)
    if len(written) == 6:
        np.savez_compressed = write_half_and_die
    write(self, block, predictions)

def write_half_and_die(file, **arrays):
    file.write(b"half of it")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

PredictionBlocks.write = write_or_die
main()
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_with_two_ranks_and_computes_no_block_again(cli: Cli, tmp_path: Path) -> None:
    write_suite(cli.folder, ranks=1, images=10)
    command = [sys.executable, "-c", KILLED, *RUN]
    killed = subprocess.run(command, cwd=cli.folder, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = job_folder(cli.folder)
    finished = {path.name: path.stat().st_mtime_ns for path in (folder / "cells").glob("[0-9]*.npz")}
    assert len(finished) == 5
    assert not (folder / "predictions.npz").exists()

    write_suite(cli.folder, ranks=2, images=10)
    done = cli.run(*RUN)

    assert done.returncode == 0, done.stderr
    assert job_folder(cli.folder) == folder, "the number of ranks changes no job"
    after = {path.name: path.stat().st_mtime_ns for path in (folder / "cells").glob("[0-9]*.npz")}
    assert len(after) == 10
    assert finished.items() <= after.items()
    assert_same(predictions(folder), run_alone(folder, tmp_path / "alone"))


@pytest.mark.slow
def test_one_two_and_four_ranks_and_a_killed_rank_predict_the_same(cli: Cli, tmp_path: Path) -> None:
    write_suite(cli.folder, ranks=1, images=40)
    done = cli.run(*RUN)
    assert done.returncode == 0, done.stderr
    alone = job_folder(cli.folder)
    found = {ranks: run_ranks_of(alone, tmp_path / f"ranks{ranks}", ranks) for ranks in (2, 4)}
    found["killed"] = run_and_kill_a_rank(tmp_path / "killed")

    one = predictions(alone)
    assert one["predictions"].shape == (75, 40)
    for name, folder in found.items():
        assert_same(one, predictions(folder))
        assert figures(folder) == figures(alone), name


def run_ranks_of(folder: Path, jobs: Path, ranks: int) -> Path:
    """Do a job anew with several ranks, on however few CPUs; return its folder among other `jobs`."""
    job = Job.model_validate_json((folder / SPEC).read_text())
    for needed in job.needs.values():
        shutil.copytree(folder.parent / str(needed), jobs / str(needed))
    shared = job.model_copy(update={"resources": job.resources.model_copy(update={"num_ranks": ranks})})
    own = jobs / str(job.id)
    own.mkdir()
    (own / SPEC).write_text(shared.model_dump_json())
    events: list[dict[str, Any]] = []
    request = {"folder": str(own), "part": {"num_ranks": ranks}, "log": str(jobs / "log.txt")}
    assert run_apart(request, events.append) == 0, events
    return own


def run_and_kill_a_rank(folder: Path) -> Path:
    """Run the suite with two ranks, of which one is killed; return the job's folder."""
    folder.mkdir()
    write_suite(folder, ranks=2, images=40)
    cli = Cli(folder)
    process = cli.start(*RUN[:-2])  # a worker of Ray starts the job again by itself
    follow(process, is_under_way)
    ranks = [p for p in cli.descendants() if "lsbench.scheduler.rank" in p.cmdline()]
    [second] = [rank for rank in ranks if rank.environ()["RANK"] == "1"]
    second.kill()
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "rank 1 was killed by SIGKILL" in out
    return job_folder(folder)
