"""A search on a real Ray: bad trials end early, a killed one goes on, and the suite found gives the same."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from .conftest import Cli, follow, json_events, read_lines

# The first two trials drawn learn, and those after them hardly do.
SEARCH = """\
version: 1
name: searched
defaults:
  model: lsnet_nano
  dataset: {name: fashion, train_images: 200, val_images: 50, test_images: 50}
variants:
  - {name: identity, mixer: identity}
jobs:
  - train: {epochs: 6, batch_size: 20, warmup_epochs: 0, channels_last: true}
search:
  space:
    lr: {log_uniform: [1.0e-6, 1.0e-2]}
    smoothing: {choice: [0.0, 0.1]}
  metric: train_loss
  budget: {trials: 8}
  algorithm: {name: asha, reduction_factor: 4}
  seed: 294
seeds: [0]
"""
RUN = ("run", "searched.yaml", "--json")


@pytest.fixture
def root(cli: Cli) -> Path:
    (cli.folder / "searched.yaml").write_text(SEARCH)
    return cli.folder / "results" / "searched" / "default"


def final_values(root: Path, metric: str) -> dict[str, float]:
    found = [r for r in read_lines(root / "records.jsonl") if "epoch" not in r["facets"]]
    return {r["job_id"]: r["value"] for r in found if r["metric"] == metric}


def check_searched(root: Path, done: subprocess.CompletedProcess[str]) -> dict[int, dict[str, Any]]:
    """Check a finished search and return the last line of each trial."""
    assert done.returncode == 0, done.stderr
    lines = {line["trial"]: line for line in read_lines(root / "trials.jsonl")}
    assert sorted(lines) == list(range(8))
    assert {line["state"] for line in lines.values()} == {"ok", "stopped"}
    trained = sum(len(read_lines(path)) for path in root.glob("jobs/*/epochs.jsonl"))
    assert trained <= 0.6 * 8 * 6
    assert f"{trained} of the full grid's 48 epochs" in done.stderr
    return lines


@pytest.mark.slow
def test_bad_trials_end_early_and_the_suite_found_reproduces_the_best(cli: Cli, root: Path) -> None:
    done = cli.run(*RUN)

    lines = check_searched(root, done)
    rows = json.loads(done.stdout.splitlines()[-1])["tables"][0]["rows"]
    assert len(rows) == 8
    assert rows[0]["state"] == "ok"
    assert "run them with: lsbench run results/searched/default/tuned.yaml" in done.stderr

    tuned = root / "tuned.yaml"
    fresh = cli.run("run", str(tuned), "--results", "fresh", "--scheduler", "inline")
    assert fresh.returncode == 0, fresh.stderr
    there = cli.folder / "fresh" / "searched_tuned" / "default"
    [(best, loss)] = final_values(there, "train_loss").items()
    assert loss == min(final_values(root, "train_loss").values()) == final_values(root, "train_loss")[best]
    assert final_values(there, "val_top1")[best] == final_values(root, "val_top1")[best]
    [variant] = yaml.safe_load(tuned.read_text())["variants"]
    [line] = [line for line in lines.values() if line["job_id"] == best]
    assert variant["jobs"]["train"]["lr"] == line["settings"]["lr"]
    assert list(root.glob(".tune-*")) == []


@pytest.mark.slow
def test_a_killed_search_goes_on_and_repeats_nothing(cli: Cli, root: Path) -> None:
    process = cli.start(*RUN)
    follow(process, lambda event: event["event"] == "end" and event["state"] == "ok")
    process.kill()
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in root.glob("jobs/*/result.json")}
    past = {path: path.read_text() for path in root.glob("jobs/*/epochs.jsonl")}

    done = cli.run(*RUN)

    check_searched(root, done)
    assert before
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert all(path.read_text().startswith(text) for path, text in past.items())
    epochs = [[line["epoch"] for line in read_lines(path)] for path in past]
    assert all(found == list(range(1, len(found) + 1)) for found in epochs)
    again = cli.run(*RUN)
    assert (again.returncode, json_events(again.stdout)) == (0, [])


@pytest.mark.slow
def test_ctrl_c_ends_every_process_and_keeps_what_is_trained(cli: Cli, root: Path) -> None:
    process = cli.start(*RUN)
    follow(process, lambda event: event.get("ev") == "epoch")
    process.send_signal(signal.SIGINT)

    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "run the same command to continue" in err
    psutil.wait_procs(cli.descendants(), timeout=5)
    assert [found.cmdline() for found in cli.descendants()] == []
    assert list(root.glob("jobs/*/epochs.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["pbt", "tpe"])
def test_the_other_algorithms_train_every_trial_to_its_end(cli: Cli, root: Path, algorithm: str) -> None:
    suite = yaml.safe_load(SEARCH)
    suite["jobs"][0]["train"]["epochs"] = 3
    suite["search"] |= {"budget": {"trials": 4}, "algorithm": algorithm}
    suite["search"]["space"]["lr"] = {"log_uniform": [1e-4, 1e-2]}
    (cli.folder / "searched.yaml").write_text(yaml.safe_dump(suite))

    done = cli.run(*RUN)

    assert done.returncode == 0, done.stderr
    lines = {line["trial"]: line for line in read_lines(root / "trials.jsonl")}
    assert [line["state"] for line in lines.values()] == ["ok"] * 4
    taken = [line for line in lines.values() if line.get("takeovers")]
    assert bool(taken) == (algorithm == "pbt")
    for line in taken:
        assert line["takeovers"][-1]["settings"] == line["settings"]
        spec = json.loads((root / "jobs" / line["job_id"] / "spec.json").read_text())
        assert spec["spec"]["lr"] == line["settings"]["lr"]
