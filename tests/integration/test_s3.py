"""Checkpoints on an S3 server: saved, torn, trimmed, and a real training that goes on from them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import torch
from moto.server import ThreadedMotoServer

from lsbench.engine.checkpoints import Checkpoints

from .conftest import Cli, follow, read_lines

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
def endpoint() -> Iterator[str]:
    """A real S3 server on a free port; the standard variables say where it is and who asks."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        import s3fs

        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("runs")
        yield f"http://{host}:{port}"
    server.stop()


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


def test_a_killed_training_goes_on_from_its_objects(endpoint: str, cli: Cli) -> None:
    (cli.folder / "near.yaml").write_text(SUITE.replace("PLACE", "validate_every: 1"))
    (cli.folder / "far.yaml").write_text(SUITE.replace("PLACE", "checkpoint_url: 's3://runs/jobs'"))
    near = cli.run("run", "near.yaml", "--scheduler", "inline", "--results", "near")
    assert near.returncode == 0, near.stderr

    process = cli.start("run", "far.yaml", "--scheduler", "inline", "--results", "far", "--json")
    follow(process, lambda event: event["event"] == "start")
    (job,) = (cli.folder / "far/remote/default/jobs").iterdir()
    place = Checkpoints(f"s3://runs/jobs/{job.name}")
    while process.poll() is None and not [step for step in place.steps() if step > 3]:
        pass
    process.kill()
    process.communicate()
    assert not (job / "result.json").exists()
    assert not list(job.glob("checkpoints/step-*"))

    again = cli.run("run", "far.yaml", "--scheduler", "inline", "--results", "far")

    assert again.returncode == 0, again.stderr
    hashes = [
        json.loads(next((cli.folder / where).rglob("history.json")).read_text())["weights_sha256"]
        for where in ("near", "far")
    ]
    assert hashes[0] == hashes[1]
    assert len(place.steps()) == 2
    (line,) = read_lines(cli.folder / "far/remote/default/jobs.jsonl")
    assert line["job_id"] == next((cli.folder / "near/remote/default/jobs").iterdir()).name
