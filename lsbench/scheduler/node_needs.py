"""What jobs need on every node that runs them: data, shared memory for loaders, GPUs. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from lsbench.core.ids import canonical_json
from lsbench.core.registry import DATASETS
from lsbench.scheduler.protocol import NodeNeeds
from lsbench.suite.parsed import ParsedJob

#: Batches that a loader process has ready, as torch's default.
READY_BATCHES = 2
CHANNELS, FLOAT_BYTES = 3, 4


def needs_of(jobs: Iterable[ParsedJob], *, wants_gpus: bool) -> NodeNeeds:
    """Return what some of the jobs need on a node.

    Args:
        jobs: The jobs, one of all seeds.
        wants_gpus: Whether any of them gets a GPU.
    """
    read: dict[str, dict[str, Any]] = {}
    workers, batch_bytes = 0, 0
    root: str | None = None
    for job, spec in jobs:
        root = root or job.data_root
        of_disk = [one for one in spec.read_data(job.variant.dataset) if _lies_on_disk(one)]
        read |= {canonical_json(one): dict(one) for one in of_disk}
        if of_disk and (asked := int(getattr(spec, "data_workers", 0))):
            sizes = [_batch_bytes(spec, one) for one in of_disk]
            workers, batch_bytes = max((workers, batch_bytes), (asked, max(sizes)), key=math.prod)
    return NodeNeeds(tuple(read.values()), root, wants_gpus, workers, batch_bytes)


def shared_bytes(needs: NodeNeeds, *, cpus: int, gpus: int) -> int:
    """Return the shared memory in which the loaders of the jobs of a node keep their batches.

    Args:
        needs: What a job needs.
        cpus: CPUs of the node, as there are no more loaders than these.
        gpus: GPUs of the node, each with a job of its own.
    """
    at_once = max(1, gpus if needs.wants_gpus else 1)
    workers = min(needs.workers, max(1, cpus // at_once))
    return at_once * workers * READY_BATCHES * needs.batch_bytes


def _lies_on_disk(settings: dict[str, Any]) -> bool:
    """Return whether a data set is the user's own, rather than generated or shipped."""
    return "root" in DATASETS.load(settings["name"]).spec.model_fields


def _batch_bytes(spec: Any, dataset: dict[str, Any]) -> int:
    size = dataset.get("img_size", 0)
    sides = size if isinstance(size, list | tuple) else (size, size)
    batch = getattr(spec, "device_batch_size", None) or getattr(spec, "batch_size", None)
    images = batch if isinstance(batch, int) else 1
    return images * CHANNELS * FLOAT_BYTES * math.prod(int(side) for side in sides)
