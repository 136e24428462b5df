"""Results on a real S3 server: run, killed, run elsewhere, reported; and what cannot be reached."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lsbench.core.errors import StoreError
from lsbench.store.owned import owned, results_at
from lsbench.store.remote_files import RemoteFiles
from lsbench.store.results import ResultsFolder

from .conftest import Cli, accuracies, follow, json_events
from .test_apart import Apart, files_of, hashes, run_plainly
from .test_apart import apart as apart  # a fixture


@pytest.fixture(scope="module")
def bucket(s3_server: str) -> Any:
    """A bucket for results on an S3 server."""
    import s3fs

    files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    files.mkdir("results")
    return files


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a change to one of several machines, each with a cache of its own."""

    def change(name: str) -> Path:
        monkeypatch.setattr("lsbench.store.owned._mirrors", {})
        monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / name))
        return results_at("s3://results/unit")

    return change


def test_what_one_machine_writes_another_reads_while_only_one_may_write(bucket, machine):
    name = "tiny/default/jobs/train-1/checkpoints/weights.pt"
    one = machine("one") / name
    with owned(ResultsFolder(one.parents[3])):
        one.parent.mkdir(parents=True)
        one.write_bytes(bytes(2**20))
        elsewhere = ResultsFolder(machine("two") / "tiny/default")
        with (
            pytest.raises(StoreError, match="s3://results/unit/tiny/default are in use by"),
            owned(elsewhere),
        ):
            raise AssertionError
        machine("one")
    machine("two")
    with owned(elsewhere):
        assert (elsewhere.root / "jobs/train-1/checkpoints/weights.pt").read_bytes() == bytes(2**20)
        (elsewhere.root / "jobs/train-1/checkpoints/weights.pt").unlink()
    assert bucket.find("results/unit") == []


@pytest.mark.parametrize(
    ("url", "variables", "reason"),
    [
        ("s3://nowhere/a", {}, "The specified bucket does not exist"),
        ("s3://results/a", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "locate credentials"),
    ],
)
def test_what_cannot_be_reached_is_one_line(bucket, url, variables, reason, monkeypatch):
    import s3fs

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StoreError, match=f"{url}: cannot be read .*{reason}.*; check the address"):
        RemoteFiles(url).found()
    s3fs.S3FileSystem.clear_instance_cache()


#: The command line of a driver that looks for changes often, and gives up a dead owner soon.
HASTY = """
from lsbench.store import owned, remote_owner
owned.EVERY_S, owned.SHARE, remote_owner.EXPIRES_S = 0.2, 1, 3.0
from lsbench.cli.main import main
main()
"""


@pytest.mark.slow
def test_a_run_on_s3_is_killed_and_goes_on_from_another_machine_bit_for_bit(
    bucket: Any, apart: Apart, cli: Cli
) -> None:
    plain = run_plainly(cli)
    apart.add()
    apart.add()
    words = (
        "run",
        "tiny.yaml",
        "--address",
        apart.cluster.address,
        "--results",
        "s3://results/apart",
        "--json",
    )
    # Nodes do not see the drivers' caches either.
    first, second = ({"LSBENCH_CACHE": str(apart.hidden / name)} for name in ("first", "second"))

    driver = hasty(cli, *words, **first)
    follow(driver, lambda event: newest_step_there(bucket) > 10)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    shutil.rmtree(apart.hidden / "first")

    refused = cli.run(*words, **second)
    assert refused.returncode == 2
    assert "s3://results/apart/tiny/default are in use by process" in refused.stderr

    time.sleep(4)
    again = hasty(cli, *words, **second)
    out, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert "taking over results from process" in err
    assert "Results: s3://results/apart/tiny/default" in err
    epochs = [event["epoch"] for event in json_events(out) if event.get("ev") == "epoch"]
    assert epochs[0] > 1, "the first epochs are not trained again"

    bucket.get("results/apart", str(cli.folder / "copy/results"), recursive=True)
    copy = cli.folder / "copy"
    assert files_of(copy / "results") == files_of(plain / "results")
    assert hashes(copy / "results") == hashes(plain / "results")
    assert accuracies(copy) == accuracies(plain)
    third = {"LSBENCH_CACHE": str(apart.hidden / "third")}
    table = ("report", "tiny", "--format", "json")
    reports = [
        json.loads(cli.run(*table, "--results", place, **third).stdout)
        for place in ("s3://results/apart", "plain/results")
    ]
    assert cells(reports[0]) == cells(reports[1])
    assert "nothing left to do" in cli.run(*words, **third).stderr
    assert apart.left() == []


def hasty(cli: Cli, *words: str, **env: str) -> subprocess.Popen[str]:
    marked = {**os.environ, "LSBENCH_TEST_MARK": cli.mark, **env}
    pipe = subprocess.PIPE
    command = [sys.executable, "-P", "-c", HASTY, *words]
    return subprocess.Popen(command, cwd=cli.folder, env=marked, stdout=pipe, stderr=pipe, text=True)


def newest_step_there(bucket: Any) -> int:
    names = (Path(path).stem for path in bucket.find("results/apart") if "/step-" in path)
    return max((int(name.removeprefix("step-")) for name in names), default=0)


def cells(report: Any) -> Any:
    (table,) = report["tables"]
    return table["rows"]
