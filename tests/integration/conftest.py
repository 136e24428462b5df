"""Real runs of the command line in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

SUITE = """\
version: 1
name: tiny
baseline: identity
defaults:
  model: lsnet_nano
  dataset: {name: fashion, train_images: 200, val_images: 20, test_images: 100}
variants:
  - {name: identity, mixer: identity}
  - {name: ls_conv, mixer: ls_conv}
jobs:
  - train: {epochs: 6, batch_size: 20, warmup_epochs: 1, channels_last: true}
  - evaluate: {batch_size: 50}
  - profile: {probes: [params, macs]}
seeds: [0]
"""


@dataclass
class Cli:
    """Starts ``python -m lsbench`` with a mark in its environment, by which all its descendants are found."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    temporary: Path | None = None
    python: str = sys.executable

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        command = [self.python, "-P", "-m", "lsbench", *words]
        place = {} if self.temporary is None else {"TMPDIR": str(self.temporary)}
        marked = {**os.environ, "LSBENCH_TEST_MARK": self.mark, **place, **env}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=marked,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            preexec_fn=listen_to_ctrl_c,  # noqa: PLW1509 - these tests start no threads
        )

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, **env)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def descendants(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._is_marked(process)]

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("LSBENCH_TEST_MARK") == self.mark
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return False


def listen_to_ctrl_c() -> None:
    """Undo what a shell does to a command in the background: it makes it deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    (tmp_path / "tiny.yaml").write_text(SUITE)
    with tempfile.TemporaryDirectory(prefix="lsb", ignore_cleanup_errors=True) as short:
        made = Cli(tmp_path, temporary=Path(short))
        yield made
        for process in made.descendants():
            process.kill()


@pytest.fixture
def warm_cli(cli: Cli, warm_python: str) -> Cli:
    """Commands that start at once; they are not among the descendants, and get no signals."""
    return replace(cli, python=warm_python)


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory, warm_python: str) -> dict[tuple[str, str], float]:
    """Accuracies of the tiny suite, run once without Ray and without interruption."""
    folder = tmp_path_factory.mktemp("unbroken")
    (folder / "tiny.yaml").write_text(SUITE)
    done = Cli(folder, python=warm_python).run("run", "tiny.yaml", "--scheduler", "inline")
    assert done.returncode == 0, done.stderr
    return accuracies(folder)


def accuracies(folder: Path) -> dict[tuple[str, str], float]:
    """Return (label, metric) -> value of everything that must not depend on how a run went."""
    root = folder / "results" / "tiny" / "default"
    labels = {
        entry["id"]: entry["label"] for entry in json.loads((root / "manifest.json").read_text())["jobs"]
    }
    records = read_lines(root / "records.jsonl")
    exact = ("top1", "top5", "train_loss", "val_top1", "macs", "params")
    return {(labels[r["job_id"]], r["metric"]): r["value"] for r in records if r["metric"] in exact}


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def follow(process: subprocess.Popen[str], until: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Read a run's JSON lines until one of them fits; return all that were read."""
    events: list[dict[str, Any]] = []
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{") and '"event"' in line:
            events.append(json.loads(line))
            if until(events[-1]):
                return events
    process.wait()
    stderr = process.stderr.read() if process.stderr else ""
    raise AssertionError(f"the run ended before the event came: {stderr}")


def json_events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{") and '"event"' in line]


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """The address of a real S3 server on a free port; the standard variables say where it is and who asks."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()  # those that know the server of an earlier file
        yield f"http://{host}:{port}"
    server.stop()
