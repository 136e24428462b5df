"""Time and memory of reports over a large store: 10,000 jobs with 1,000,000 records.

Writes a store with the store's own writers into a temporary folder, runs each command several times in a
fresh process, and prints the minimum wall time and the maximum memory. Run on an idle machine:

    python benchmarks/report_scale.py
    python benchmarks/report_scale.py --jobs 320 --records 20000 --repeats 1    # in seconds
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lsbench.core.env import package_version, provenance
from lsbench.core.facets import Facets
from lsbench.core.job import Job
from lsbench.core.record import SCHEMA_VERSION, measured
from lsbench.corruptions import BENCHMARK, SEVERITIES
from lsbench.scheduler.run import write_manifest
from lsbench.store.results import ResultsFolder
from lsbench.suite.graph import JobGraph, build_graph
from lsbench.suite.loader import load_suite
from lsbench.tables.frames.cache import CACHE

SEEDS = 5
JOBS_OF_VARIANT = 3 * SEEDS + 1  # train, evaluate and robustness for each seed, and one profile
BATCH = 200  # jobs whose lines are appended together
TRAINED = ("train_loss", "val_top1", "lr", "data_wait_frac")
WHOLE = {
    "train": ("train_loss", "val_top1", "best_val_top1"),
    "evaluate": ("top1", "top5", "ece", "fgsm_top1"),
    "profile": ("params", "macs", "latency_ms", "latency_p90_ms", "throughput", "peak_memory_mib"),
    "robustness": ("mce", "relative_mce", "corruption_error", "clean_error"),
}
TESTED = {"split": "test", "weights": "last", "res": 32, "version": "1"}
FACETS = {
    "train": Facets(method="train", batch_size=64, lr=0.004, version="1"),
    "evaluate": Facets(**TESTED, n=10_000),
    "profile": Facets(batch_size=1, precision="fp32", device="cpu", threads=1, version="2"),
    "robustness": Facets(
        **TESTED,
        method="fashion-c-live",
        corruptions=len(BENCHMARK),
        severities=len(SEVERITIES),
        family="original",
        jpeg_quality=85,
        reference="knn5",
        n=1000,
    ),
}
CORRUPTED = ("ce", "relative_ce", "corruption_error")
PARTS_OF_ROBUSTNESS = len(BENCHMARK) * (len(CORRUPTED) + len(SEVERITIES))


@dataclass(frozen=True)
class Reading:
    """Measurements of one process: wall time in seconds, peak memory in MiB, and its output."""

    wall_s: float
    peak_mib: float
    output: str


def create_suite(jobs: int, records: int) -> tuple[dict[str, Any], int]:
    """Return a suite of about `jobs` jobs, and the epochs per training that give `records` records."""
    variants = max(1, round(jobs / JOBS_OF_VARIANT))
    trainings = variants * SEEDS
    of_seed = len(WHOLE["train"]) + len(WHOLE["evaluate"]) + len(WHOLE["robustness"]) + PARTS_OF_ROBUSTNESS
    left = records - trainings * of_seed - variants * len(WHOLE["profile"])
    epochs = max(2, -(-left // (trainings * len(TRAINED))))
    suite = {
        "version": 1,
        "name": "scale",
        "defaults": {"model": "lsnet_nano", "dataset": {"name": "fashion", "img_size": 32}},
        "variants": [
            {"name": f"v{number:04d}", "mixer": "ls_conv", "model_args": {"drop_path_rate": number / 10_000}}
            for number in range(variants)
        ],
        "jobs": [
            {"train": {"epochs": epochs, "batch_size": 64}},
            "evaluate",
            "robustness",
            {"profile": {"batch_size": 1}},
        ],
        "seeds": list(range(SEEDS)),
    }
    return suite, epochs


def create_store(results: Path, jobs: int, records: int) -> tuple[ResultsFolder, int, int]:
    """Write the store and return its folder, job count and record count."""
    content, epochs = create_suite(jobs, records)
    path = results / "scale.yaml"
    path.write_text(yaml.safe_dump(content))
    graph = build_graph(load_suite(str(path)))
    folder = ResultsFolder(results / "scale" / "default")
    folder.create()
    write_manifest(graph, folder)
    return folder, len(graph.jobs), _fill(folder, graph, epochs)


def _fill(folder: ResultsFolder, graph: JobGraph, epochs: int) -> int:
    """Append every job with its records, as the driver does, and return the record count."""
    rng = random.Random(7)  # noqa: S311 - made-up numbers
    where = provenance()
    written = 0
    for start in range(0, len(graph.jobs), BATCH):
        jobs = graph.jobs[start : start + BATCH]
        lines = [line for job in jobs for line in _records(job, epochs, rng)]
        for job in jobs[:-1]:
            folder.add_job(_job_line(job, where), [])
        folder.add_job(_job_line(jobs[-1], where), lines)
        written += len(lines)
    return written


def _job_line(job: Job, where: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "job_id": job.id,
        "status": "ok",
        "kind": job.kind,
        "label": job.label,
        "seed": job.seed,
        "started_at": "2026-01-01T00:00:00+00:00",
        "wall_s": 60.0,
        "error": None,
        "setting": {**job.spec, "dataset": job.variant.dataset, "limit": job.limit},
        "provenance": {**where, "device": "cpu", "device_name": None, "num_ranks": 1},
        "attempts": 1,
    }


def _records(job: Job, epochs: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield a job's records with random values: those of the whole job, then those of its parts."""
    whole = FACETS[job.kind]
    if job.kind == "train":
        whole = whole.model_copy(update={"epochs": epochs})
    dataset = None if job.kind == "profile" else "fashion"
    has_weights = job.kind in ("train", "robustness")
    setting = {"weights_sha256": f"{rng.getrandbits(256):064x}"} if has_weights else {}

    def line(metric: str, facets: Facets, **more: Any) -> dict[str, Any]:
        value = rng.uniform(0.2, 0.9)
        found = measured(metric, value, facets=facets, dataset=dataset, **more)
        return {"job_id": job.id, **found.model_dump(mode="json")}

    for metric in WHOLE[job.kind]:
        yield line(metric, whole, n=1000, setting=setting)
    if job.kind == "train":
        for epoch in range(1, epochs + 1):
            facets = whole.of_epoch(epoch)
            yield from (line(metric, facets, setting={"epoch": epoch}) for metric in TRAINED)
    if job.kind == "robustness":
        ends = {"ci_low": 0.1, "ci_high": 0.95, "ci_method": "normal 95%, over images", "n": 1000}
        for name in BENCHMARK:
            facets = whole.of_corruption(name)
            yield from (line(metric, facets, **ends) for metric in CORRUPTED)
            for severity in SEVERITIES:
                yield line("corruption_error", whole.of_corruption(name, severity), **ends)


def run(arguments: Sequence[str]) -> Reading:
    """Run one command in a fresh process.

    Raises:
        RuntimeError: If it fails.
    """
    started = time.perf_counter()
    command = [sys.executable, "-m", "lsbench", *arguments]
    with tempfile.TemporaryFile("w+") as stdout:
        process = subprocess.Popen(command, stdout=stdout)  # noqa: S603 - our own words
        _, state, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        stdout.seek(0)
        output = stdout.read()
    process.returncode = os.waitstatus_to_exitcode(state)
    if process.returncode:
        raise RuntimeError(f"lsbench {' '.join(arguments)} exited with code {process.returncode}")
    return Reading(wall_s, usage.ru_maxrss / 1024, output)


def show(what: str, readings: Sequence[Reading]) -> None:
    """Print the minimum time and the maximum memory of several readings."""
    wall_s = min(reading.wall_s for reading in readings)
    print(f"{what:34s} {wall_s:7.2f} s {max(reading.peak_mib for reading in readings):7.0f} MiB")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the store, measure every command, and print the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="report-scale-") as name:
        started = time.perf_counter()
        folder, jobs, records = create_store(Path(name), wanted.jobs, wanted.records)
        print(f"{jobs} jobs, {records} records, written in {time.perf_counter() - started:.0f} s")
        measure(folder, wanted.repeats)
    found = provenance()
    print(f"{found['cpu']}, {found['cpus']} CPUs, {platform.platform()}, Python {found['python']}")
    print(", ".join(f"{name} {package_version(name)}" for name in ("lsbench", "pandas", "pyarrow", "scipy")))


def measure(folder: ResultsFolder, repeats: int) -> None:
    """Print time and memory of each command on a store, with and without its cache."""
    where = ["--results", str(folder.root.parents[1])]
    report = ["report", "scale", "--format", "markdown", *where]
    for path in (folder.root / name for name in ("records.jsonl", "jobs.jsonl", "manifest.json")):
        print(f"{path.name:34s} {path.stat().st_size / 2**20:7.1f} MiB")
    fresh = []
    for _ in range(repeats):
        (folder.root / CACHE).unlink(missing_ok=True)
        fresh.append(run(report))
    kept = [run(report) for _ in range(repeats)]
    if {reading.output for reading in (*fresh, *kept)} != {fresh[0].output}:
        raise RuntimeError("the report with the cache differs from the report without it")
    show("report, the cache is made anew", fresh)
    show("report, the cache is in place", kept)
    show("status", [run(["status", "scale", *where]) for _ in range(repeats)])
    show("--help", [run(["--help"]) for _ in range(repeats)])
    print(f"{CACHE:34s} {(folder.root / CACHE).stat().st_size / 2**20:7.1f} MiB")


if __name__ == "__main__":
    main()
