"""The tiny suite on a GPU, through Ray: a device for each job, and numbers that say where they come from."""

from __future__ import annotations

import pytest

from .conftest import Cli, read_lines


@pytest.mark.gpu
@pytest.mark.parametrize("scheduler", ["ray", "inline"])
def test_a_suite_trains_evaluates_and_profiles_on_the_gpu(cli: Cli, scheduler: str) -> None:
    probes = "jobs.profile.probes=[latency,throughput]"
    done = cli.run("run", "tiny.yaml", "--scheduler", scheduler, "--set", probes)

    assert done.returncode == 0, done.stderr
    [root] = (cli.folder / "results" / "tiny").iterdir()
    jobs = read_lines(root / "jobs.jsonl")
    assert {job["provenance"]["device"] for job in jobs} == {"cuda"}
    assert all(job["provenance"]["device_name"] for job in jobs)
    timings = [r for r in read_lines(root / "records.jsonl") if r["metric"] in ("latency_ms", "throughput")]
    assert timings
    assert all("cuda" in timing["protocol"] for timing in timings)
    held = [r for r in read_lines(root / "records.jsonl") if r["metric"] == "peak_device_memory_mib"]
    assert held
    assert all(record["value"] > 0 for record in held)
