"""Lines of jobs and their records, as real jobs would write them."""

from collections.abc import Callable
from typing import Any

from lsbench.core.facets import Facets
from lsbench.core.job import Job
from lsbench.core.plugin_code import files_hash
from lsbench.core.record import measured


def tiny_records(job: Job, top1: float = 0.5) -> list[dict[str, Any]]:
    """Return records as the job's kind would write them, with made-up values."""
    if job.kind == "robustness" or job.spec.get("on"):
        return tested_records(job)
    protocols = {"train": "train|v1", "evaluate": "test|n=20|v1", "profile": "b=1|v1"}
    values = {
        "train": {"train_loss": (1.5, "nat")},
        "evaluate": {"top1": (top1, "fraction"), "top5": (0.9, "fraction")},
        "profile": {"params": (2e6, "count"), "macs": (3e8, "MAC"), "latency_ms": (5.0, "ms")},
    }[job.kind]
    return [
        {
            "job_id": job.id,
            "metric": metric,
            "value": value,
            "unit": unit,
            "n": 20,
            "ci_low": None,
            "ci_high": None,
            "ci_method": None,
            "protocol": protocols[job.kind],
            "dataset": None if job.kind == "profile" else "fashion",
            "setting": {},
        }
        for metric, (value, unit) in values.items()
    ]


CORRUPTED = Facets(
    method="fashion-c-live",
    corruptions=2,
    severities=2,
    res=32,
    reference="knn5",
    n=20,
    split="test",
    weights="last",
    version="1",
)
MASKED = Facets(split="test", weights="last", classes=6, n=20, version="1")


def tested_records(job: Job, **values: float | None) -> list[dict[str, Any]]:
    """Return records of a robustness job, or of an evaluation on another data set, with made-up values.

    Of two corruptions at two severities every cell is there; `values` are whole figures to put in place of
    the usual ones.
    """
    if job.kind == "evaluate":
        dataset = job.spec["on"]
        figures = [("top1", 0.2, MASKED), ("top1", 0.1, MASKED.model_copy(update={"classes": 10}))]
    else:
        dataset = job.variant.dataset["name"]
        usual = {"mce": 0.8, "relative_mce": 1.1, "corruption_error": 0.4, "clean_error": 0.25}
        figures = [(metric, value, CORRUPTED) for metric, value in {**usual, **values}.items()]
        for number, corruption in enumerate(("fog", "snow")):
            where = CORRUPTED.of_corruption(corruption)
            figures += [("ce", 0.8, where), ("corruption_error", 0.3 + number / 5, where)]
            for severity in (1, 2):
                cell = CORRUPTED.of_corruption(corruption, severity)
                figures.append(("corruption_error", 0.1 + severity / 10 + number / 5, cell))
    found = [measured(name, value, facets=facets, dataset=dataset, n=20) for name, value, facets in figures]
    return [{"job_id": job.id, **record.model_dump(mode="json")} for record in found]


def ok_line(job: Job) -> dict[str, Any]:
    """Return a finished job's line of the journal."""
    return {
        "schema_version": 1,
        "job_id": job.id,
        "status": "ok",
        **({"code": {plugin: files_hash(files) for plugin, files in job.code.items()}} if job.code else {}),
        "kind": job.kind,
        "label": job.label,
        "seed": job.seed,
        "started_at": "2025-01-01T00:00:00+00:00",
        "wall_s": 2.0,
        "error": None,
        "setting": dict(job.spec),
        "provenance": {"cpu": "a cpu", "host": "a host", "torch": "2", "lsbench": "0"},
    }


def failed_line(job: Job) -> dict[str, Any]:
    """Return a failed job's line of the journal."""
    line = {key: ok_line(job)[key] for key in ("schema_version", "job_id", "kind", "label", "seed")}
    return {**line, "status": "failed", "error": "ValueError: too bad", "attempts": 2, "ended_at": "2025"}


Records = Callable[[Job], list[dict[str, Any]] | None]


def epoch_records(
    job: Job, figures: dict[str, list[float | None]], lr_scale: float | None = None
) -> list[dict[str, Any]]:
    """Return a training's records with one figure per epoch in addition: metric -> values."""
    records = tiny_records(job)
    if lr_scale is not None:
        records[0]["setting"] = {"lr_scale": lr_scale}
    for metric, values in figures.items():
        for epoch, value in enumerate(values, 1):
            own = {
                "metric": metric,
                "value": value,
                "setting": {"epoch": epoch},
                "protocol": f"train|v1|epoch={epoch}",
            }
            records.append({**records[0], **own})
    return records
