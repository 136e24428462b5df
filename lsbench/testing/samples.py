"""Test data for plug-ins: a tiny suite, the context of a job, and a store with results and holes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsbench.core.atomic import write_json
from lsbench.core.job import Job, JobContext
from lsbench.core.record import measured
from lsbench.core.registry import JOBS
from lsbench.scheduler.run import write_manifest
from lsbench.store.results import RESULT, ResultsFolder
from lsbench.suite.graph import JobGraph, build_graph
from lsbench.suite.loader import load_suite
from lsbench.suite.marked_yaml import to_yaml
from lsbench.tables.summary import Summary, summarize

DATASET = {"name": "fashion", "train_images": 40, "val_images": 20, "test_images": 20}


def create_graph(folder: Path, jobs: list[Any], *, limit: int | None = None, **more: Any) -> JobGraph:
    """Return the jobs of a tiny suite.

    Args:
        folder: Folder for the suite file.
        jobs: The key `jobs` of the suite file.
        limit: The option ``--limit`` of ``lsbench run``.
        more: Further keys of the suite file.
    """
    content = {
        "version": 1,
        "name": "sample",
        "defaults": {"model": "lsnet_nano", "dataset": DATASET},
        "variants": [{"name": "one", "mixer": "identity"}],
        "jobs": jobs,
        **more,
    }
    path = folder / "suite.yaml"
    path.write_text(to_yaml(content), encoding="utf-8")
    return build_graph(load_suite(str(path), limit=limit), data_root=None)


def context_of(job: Job, folder: Path, *, events: list[dict[str, Any]] | None = None) -> JobContext:
    """Return the context of a job without needs; its events are appended to `events`."""
    seen: list[dict[str, Any]] = [] if events is None else events
    spec = JOBS.load(job.kind).spec.model_validate(job.spec)
    return JobContext(job=job, spec=spec, folder=folder, needs={}, device="cpu", emit=seen.append)


def create_summary(folder: Path, top1: Mapping[str, float | None], *, label: str | None = None) -> Summary:
    """Return the summary of a suite whose variants were evaluated.

    Args:
        folder: Folder for the store.
        top1: Variant -> accuracy, or None for a failed job. The last variant, ``gone``, has not run.
        label: Label of the first variant in reports.
    """
    variants: list[dict[str, Any]] = [
        {"name": name, "mixer": "identity", "model_args": {"drop_path_rate": number / 100}}
        for number, name in enumerate([*top1, "gone"])
    ]
    folder.mkdir(parents=True, exist_ok=True)
    graph = create_graph(folder, [{"train": {"epochs": 1, "batch_size": 20}}, "evaluate"], variants=variants)
    store = ResultsFolder(folder / "results" / "sample" / "default")
    store.create()
    write_manifest(graph, store)
    if label is not None:
        relabel(store, {variants[0]["name"]: label})
    for job in graph.jobs:
        if job.variant.name in top1 and job.kind == "evaluate":
            _add(store, job, top1[job.variant.name])
    found = summarize(store)
    if found is None:
        raise ValueError("expected a table of the sample")
    return found


def relabel(store: ResultsFolder, labels: Mapping[str, str]) -> None:
    """Give variants a label in the manifest: results of before may have labels that suites refuse today."""
    manifest = store.manifest() or {}
    for job in manifest["jobs"]:
        job["title"] = labels.get(job["variant"], job["title"])
    store.write_manifest(manifest, "")


def _add(store: ResultsFolder, job: Job, value: float | None) -> None:
    line: dict[str, Any] = {
        "schema_version": 1,
        "job_id": job.id,
        "kind": job.kind,
        "label": job.label,
        "seed": job.seed,
    }
    if value is None:
        store.add_job({**line, "status": "failed", "error": "ValueError: bad", "attempts": 1}, [])
        return
    figure = measured("top1", value, protocol="test|res=32|n=20|v1", n=20, dataset="fashion")
    record = {"job_id": job.id, **figure.model_dump(mode="json")}
    line |= {
        "status": "ok",
        "error": None,
        "started_at": "2025-01-01T00:00:00+00:00",
        "wall_s": 1.0,
        "setting": dict(job.spec),
        "provenance": {"cpu": "a cpu", "host": "a host", "torch": "2", "lsbench": "0"},
    }
    write_json(store.job_folder(str(job.id)) / RESULT, {"job": line, "records": [record]})
    store.add_job(line, [record])
