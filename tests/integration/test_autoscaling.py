"""A cluster without nodes, to which Ray's own autoscaler adds them as processes of this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lsbench.scheduler.local_ray import FLAGS

from .conftest import Cli, accuracies

pytestmark = pytest.mark.slow

#: The flag that keeps a local Ray on the loopback interface.
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


class Autoscaled:
    """A head without CPUs, and an autoscaler that adds up to two nodes of two CPUs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mark = folder, uuid.uuid4().hex
        self.secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex}
        with socket.socket() as free:
            free.bind(("", 0))
            self.port = free.getsockname()[1]

    @property
    def address(self) -> str:
        import ray

        return f"{ray.util.get_node_ip_address()}:{self.port}"

    def start(self) -> None:
        """Start it; not with Ray's own helper, which first stops every Ray of this machine."""
        nothing = ("docker", "auth", "file_mounts")
        config = {
            "cluster_name": "fake",
            "max_workers": 2,
            "idle_timeout_minutes": 0.2,
            "upscaling_speed": 1.0,
            "provider": {
                "type": "fake_multinode",
                "gcs_address": self.address,
                "use_node_id_as_ip": True,  # they all have that of this machine
                "disable_node_updaters": True,
                "disable_launch_config_check": True,
            },
            "head_node_type": "ray.head.default",
            "available_node_types": {
                "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
                "small": {"resources": {"CPU": 2}, "node_config": {}, "min_workers": 0, "max_workers": 2},
            },
            **{name: {} for name in nothing},
            **{
                name: []
                for name in (
                    "initialization_commands",
                    "setup_commands",
                    "head_setup_commands",
                    "worker_setup_commands",
                    "head_start_ray_commands",
                    "worker_start_ray_commands",
                    "cluster_synced_files",
                    "rsync_exclude",
                    "rsync_filter",
                )
            },
            "file_mounts_sync_continuously": False,
        }
        file = self.folder / "autoscaling.json"
        file.write_text(json.dumps(config))
        command = [
            *(Path(sys.executable).parent / "ray", "start", "--head", "--num-cpus=0", f"--port={self.port}"),
            *("--include-dashboard=false", f"--autoscaling-config={file}"),
        ]
        env = {
            **os.environ,
            **{name: value for name, value in FLAGS.items() if name != LOOPBACK},
            **self.secret,
            "LSBENCH_TEST_MARK": self.mark,
            "RAY_FAKE_CLUSTER": "1",
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            "RAY_TMPDIR": str(self.folder),
        }
        subprocess.run(command, env=env, check=True, capture_output=True, timeout=120)

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("LSBENCH_TEST_MARK") == self.mark:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found

    def nodes(self) -> list[psutil.Process]:
        """Return the raylets but that of the head."""
        return [
            process
            for process in self.processes()
            if process.name() == "raylet" and "--head" not in process.cmdline()
        ]

    def stop(self) -> None:
        while found := self.processes():
            for process in found:
                process.kill()
            psutil.wait_procs(found, timeout=5)


@pytest.fixture
def autoscaled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Autoscaled]:
    folder = Path("/tmp") / f"lsb{uuid.uuid4().hex[:6]}"  # the paths of sockets are short
    folder.mkdir()
    made = Autoscaled(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        subprocess.run(["rm", "-rf", folder], check=False)


def test_nodes_come_when_jobs_need_them_and_go_when_none_does(
    cli: Cli, autoscaled: Autoscaled, unbroken: dict[tuple[str, str], float]
) -> None:
    assert autoscaled.nodes() == []
    done = cli.run("run", "tiny.yaml", "--address", autoscaled.address, **autoscaled.secret)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("waiting for nodes: ") == 1, done.stderr
    assert "there is no node with CPUs" in done.stderr
    assert accuracies(cli.folder) == unbroken
    assert autoscaled.nodes()
    deadline = time.monotonic() + 120
    while autoscaled.nodes() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert autoscaled.nodes() == [], "nothing is asked for any more"


def test_a_wait_for_nodes_that_never_come_ends(cli: Cli, autoscaled: Autoscaled) -> None:
    words = ("--set", "resources.num_cpus=3", "--address", autoscaled.address, "--wait-for-nodes", "0.1")
    done = cli.run("run", "tiny.yaml", *words, **autoscaled.secret)
    assert done.returncode == 3, done.stderr
    assert "requests 3 CPUs and 0 GPUs" in done.stderr
    assert "no node for it was free within 6 s (--wait-for-nodes)" in done.stderr
