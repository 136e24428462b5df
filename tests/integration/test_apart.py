"""Nodes that share no folder with the driver: a small disk lies over the results on each of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lsbench.core.lock import is_held
from lsbench.scheduler.local_ray import FLAGS
from lsbench.store.results import LOCK

from .conftest import Cli, accuracies, follow, json_events

SUITE = """\
version: 1
name: tiny
defaults:
  model: lsnet_nano
  dataset: {name: fashion, img_size: 32, train_images: 200, val_images: 20, test_images: 100}
variants: [{name: identity, mixer: identity}]
jobs:
  - train: {epochs: 12, batch_size: 20, checkpoint_minutes: 0}
  - evaluate: {batch_size: 50}
seeds: [0]
"""
#: A node of Ray in a world of its own, where an empty disk hides what the driver sees in a folder.
APART = 'mount -t tmpfs none "$1" && shift && exec "$@"'


class Apart:
    """A cluster of a head without CPUs, where the driver is, and nodes that do not see its folder."""

    def __init__(self, hidden: Path) -> None:
        from ray.cluster_utils import Cluster

        self.hidden, self.before = hidden, set(self._on_nodes())
        self.cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
        )
        self.nodes: list[subprocess.Popen[bytes]] = []

    def add(self, *, num_cpus: int = 1) -> None:
        """Start a node and wait until it has joined."""
        ray = Path(sys.executable).with_name("ray")
        start = [str(ray), "start", f"--address={self.cluster.address}", f"--num-cpus={num_cpus}", "--block"]
        as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
        world = ["unshare", "--mount", *as_root, "sh", "-c", APART, "sh", str(self.hidden), *start]
        self.nodes.append(subprocess.Popen(world, stdout=subprocess.DEVNULL, start_new_session=True))
        deadline = time.monotonic() + 120
        while sum(node["Alive"] for node in self.cluster.global_state.node_table()) <= len(self.nodes):
            assert time.monotonic() < deadline
            assert all(node.poll() is None for node in self.nodes)
            time.sleep(0.2)

    @staticmethod
    def _on_nodes() -> list[Path]:
        return list(Path("/tmp").glob(f"lsbench-{os.getuid()}-job-*"))

    def left(self) -> list[Path]:
        """Return the folders of jobs on nodes, but those that other runs of this machine use."""
        return [path for path in self._on_nodes() if path not in self.before and not is_held(path / LOCK)]

    def close(self) -> None:
        for node in self.nodes:
            node.terminate()
        for node in self.nodes:
            node.wait(60)
        self.cluster.shutdown()


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    hidden = tmp_path / "results"
    hidden.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        # `ray start` takes a 0 for a system without clusters of several nodes.
        for name, value in {**FLAGS, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}.items():
            patch.setenv(name, value)
        made = Apart(hidden)
        yield made
        made.close()


def run_plainly(cli: Cli) -> Path:
    """Run the suite without Ray and without interruption in a plain folder; return the folder around it."""
    (cli.folder / "tiny.yaml").write_text(SUITE)
    done = cli.run("run", "tiny.yaml", "--scheduler", "inline", "--results", "plain/results")
    assert done.returncode == 0, done.stderr
    return cli.folder / "plain"


@pytest.mark.slow
def test_a_run_on_nodes_that_share_no_folder_is_killed_and_goes_on_bit_for_bit(
    apart: Apart, cli: Cli
) -> None:
    plain = run_plainly(cli)
    apart.add()
    apart.add()
    words = ("run", "tiny.yaml", "--address", apart.cluster.address, "--json")

    driver = cli.start(*words)
    follow(driver, lambda event: newest_step(apart.hidden) > 10)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    assert not list(apart.hidden.rglob("result.json"))

    again = cli.run(*words)

    assert again.returncode == 0, again.stderr
    assert "sending files of jobs through Ray" in again.stderr
    epochs = [event["epoch"] for event in json_events(again.stdout) if event.get("ev") == "epoch"]
    assert epochs[0] > 1, "the first epochs are not trained again"
    assert epochs[-1] == 12
    assert files_of(apart.hidden) == files_of(plain / "results")
    assert hashes(apart.hidden) == hashes(plain / "results")
    assert accuracies(cli.folder) == accuracies(plain)
    assert apart.left() == []


def newest_step(results: Path) -> int:
    """Return the newest checkpoint that the driver has, or 0."""
    return max((int(path.stem[5:]) for path in results.rglob("checkpoints/step-*.pt")), default=0)


def files_of(results: Path) -> list[str]:
    """Return the names of all files of jobs but marks, locks, and logs, which Ray alone brings about."""
    paths = (results / "tiny/default/jobs").rglob("[!.]*")
    files = (path for path in paths if path.is_file() and path.name != "log.txt")
    return sorted(str(path.relative_to(results)) for path in files)


def hashes(results: Path) -> list[Any]:
    return [json.loads(path.read_text())["weights_sha256"] for path in sorted(results.rglob("history.json"))]


@pytest.mark.slow
def test_ranks_of_one_job_on_two_nodes_that_share_no_folder(apart: Apart, cli: Cli) -> None:
    """Every node gets the files, the one with the first rank sends what changes, and all logs come."""
    (cli.folder / "tiny.yaml").write_text(SUITE + "resources: {num_ranks: 2}\n")
    apart.add()
    apart.add()

    done = cli.run("run", "tiny.yaml", "--address", apart.cluster.address, "--json")

    assert done.returncode == 0, done.stderr
    starts = [event for event in json_events(done.stdout) if event.get("num_ranks") == 2]
    assert [event["num_nodes"] for event in starts] == [2]
    plain = cli.run("run", "tiny.yaml", "--scheduler", "inline", "--results", "plain/results")
    assert plain.returncode == 0, plain.stderr
    assert files_of(apart.hidden) == files_of(cli.folder / "plain/results")
    assert hashes(apart.hidden) == hashes(cli.folder / "plain/results")
    assert apart.left() == []
