"""Checkpoints on an S3 server: saved, torn, trimmed, and a real training that goes on from them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
import torch

from lsbench.engine.checkpoints import Checkpoints

from .conftest import Cli, json_events, read_lines

SUITE = """\
version: 1
name: remote
defaults:
  model: lsnet_nano
  dataset: {name: fashion, img_size: 16, train_images: 200, val_images: 20, test_images: 20}
variants: [{name: identity, mixer: identity}]
jobs: [{train: {epochs: 3, batch_size: 20, checkpoint_minutes: 0, PLACE}}]
"""


@pytest.fixture(scope="module")
def endpoint(s3_server: str) -> str:
    """The address of an S3 server with a bucket for runs."""
    import s3fs

    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("runs")
    return s3_server


def state(step: int) -> dict[str, object]:
    return {"model": {"w": torch.full((1000,), float(step))}, "progress": {"update": step}}


def test_the_newest_whole_object_is_found_and_the_oldest_are_removed(endpoint: str) -> None:
    found = Checkpoints("s3://runs/unit/train-1")
    assert found.load_newest() is None
    found.prepare()
    for step in (1, 2, 3):
        found.save(step, state(step))
    assert found.steps() == [2, 3]
    path = found._path(3)
    found._files.pipe_file(path, found._files.cat_file(path)[:-100])

    newest = Checkpoints("s3://runs/unit/train-1").load_newest()

    assert newest is not None
    assert newest["progress"] == {"update": 2}
    assert torch.equal(newest["model"]["w"], torch.full((1000,), 2.0))


#: The command line in a process that is killed when its training has saved the 15th of 30 updates.
KILLED_AT_15 = """
import os, signal
from lsbench.cli.main import main
from lsbench.engine.checkpoints import Checkpoints
save = Checkpoints.save
def save_and_die(self, step, state):
    save(self, step, state)
    if step == 15:
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoints.save = save_and_die
main()
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_from_its_objects(endpoint: str, cli: Cli) -> None:
    (cli.folder / "near.yaml").write_text(SUITE.replace("PLACE", "validate_every: 1"))
    (cli.folder / "far.yaml").write_text(SUITE.replace("PLACE", "checkpoint_url: 's3://runs/jobs'"))
    near = cli.run("run", "near.yaml", "--scheduler", "inline", "--results", "near")
    assert near.returncode == 0, near.stderr
    far = ("run", "far.yaml", "--scheduler", "inline", "--results", "far", "--json")

    words = [sys.executable, "-P", "-c", KILLED_AT_15, *far]
    killed = subprocess.run(words, check=False, capture_output=True, cwd=cli.folder, timeout=300)

    assert killed.returncode == -signal.SIGKILL
    (job,) = (cli.folder / "far/remote/default/jobs").iterdir()
    assert not (job / "result.json").exists()
    assert not list(job.glob("checkpoints/step-*"))
    place = Checkpoints(f"s3://runs/jobs/{job.name}")
    assert place.steps() == [14, 15]
    place._files.pipe_file(place._path(15), place._files.cat_file(place._path(15))[:-100])

    again = cli.run(*far)

    assert again.returncode == 0, again.stderr
    assert f"{place.name_of(15)}: damaged checkpoint skipped" in again.stderr
    epochs = [event["epoch"] for event in json_events(again.stdout) if event.get("ev") == "epoch"]
    assert epochs == [2, 3], "the first epoch is not trained again"
    hashes = [
        json.loads(next((cli.folder / where).rglob("history.json")).read_text())["weights_sha256"]
        for where in ("near", "far")
    ]
    assert hashes[0] == hashes[1]
    assert place.steps() == [30], "of a finished training, the newest alone"
    (line,) = read_lines(cli.folder / "far/remote/default/jobs.jsonl")
    assert line["job_id"] == next((cli.folder / "near/remote/default/jobs").iterdir()).name


def test_a_bucket_that_is_not_there_fails_the_training_before_it_starts(endpoint: str, cli: Cli) -> None:
    (cli.folder / "far.yaml").write_text(SUITE.replace("PLACE", "checkpoint_url: 's3://nowhere/jobs'"))
    done = cli.run("run", "far.yaml", "--scheduler", "inline", "--json")
    assert done.returncode == 3
    assert (
        "the place cannot be written (The specified bucket does not exist); see `checkpoint_url`"
        in done.stderr
    )
    assert not [event for event in json_events(done.stdout) if event.get("ev") in ("step", "epoch")]
