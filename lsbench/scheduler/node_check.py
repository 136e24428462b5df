"""Check in a process of its own that a node can run jobs: its GPUs, the data, and room for loaders."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lsbench.core.env import package_version, usable_cpus
from lsbench.core.errors import LsbenchError
from lsbench.core.host import SHARED_MEMORY, free_bytes
from lsbench.core.registry import DATASETS
from lsbench.core.waits import announce
from lsbench.scheduler.causes import told, visible_ids
from lsbench.scheduler.node_needs import shared_bytes
from lsbench.scheduler.protocol import NodeNeeds

#: Jobs compute with these; another version is another number.
PACKAGES = ("torch", "timm", "triton")
#: Where Linux tells the version of the kernel's driver.
DRIVERS = (Path("/sys/module/nvidia/version"), Path("/sys/module/amdgpu/version"))
MIB = 2**20


def check_node(needs: NodeNeeds, *, gpus: int) -> dict[str, Any]:
    """Return the versions of this node, and one line for each thing that jobs need and that is wrong here.

    Args:
        needs: What jobs need.
        gpus: GPUs that Ray granted to this process to try them.
    """
    problems = [*_gpu_problems(gpus), *_data_problems(needs), *_shared_memory_problems(needs, gpus)]
    return {"versions": versions(), "problems": problems}


def versions() -> dict[str, str | None]:
    """Return the versions of this machine's packages and of its GPU driver."""
    driver = next((path.read_text().strip() for path in DRIVERS if path.is_file()), None)
    return {**{name: package_version(name) for name in PACKAGES}, "driver": driver}


def differences(theirs: Mapping[str, str | None], ours: Mapping[str, str | None]) -> list[str]:
    """Return one text for each package whose version is another on a node than here.

    >>> differences({"torch": "2.11.0", "timm": "1.0"}, {"torch": "2.14.1", "timm": "1.0"})
    ['torch 2.11.0, here 2.14.1']
    """
    return [
        f"{name} {theirs.get(name) or 'missing'}, here {ours.get(name) or 'missing'}"
        for name in PACKAGES
        if theirs.get(name) != ours.get(name)
    ]


def _gpu_problems(count: int) -> Iterator[str]:
    """Compute on each GPU that was granted: one may be busy or broken, or its driver too old."""
    import torch

    from lsbench.engine.process import unsupported_device, why_no_gpu

    if count == 0:
        if (kind := unsupported_device()) is not None:
            announce(f"{socket.gethostname()}: lsbench does not support {kind}, so jobs run on the CPU there")
        return

    found, ids = torch.cuda.device_count(), visible_ids()
    if found < count:
        yield f"{why_no_gpu(count - 1, found)} (driver {versions()['driver'] or 'not found'})"
    for number in range(min(found, count)):
        try:
            torch.ones(1, device=f"cuda:{number}").add_(1).item()
        except RuntimeError as error:
            yield f"GPU {ids[number] if number < len(ids) else number}: {told(error)}"


def _data_problems(needs: NodeNeeds) -> Iterator[str]:
    root = None if needs.data_root is None else Path(needs.data_root)
    for settings in needs.datasets:
        plugin = DATASETS.load(settings["name"])
        try:
            prepared = plugin.prepare(plugin.spec.model_validate(settings), root)
            places = {prepared.root, *prepared.splits.values()}
        except (LsbenchError, OSError) as error:
            yield told(error)
            continue
        yield from (
            f"{place}: cannot be read by this user" for place in sorted(places) if not _can_read(place)
        )


def _can_read(place: Path) -> bool:
    return os.access(place, os.R_OK | (os.X_OK if place.is_dir() else 0))


def _shared_memory_problems(needs: NodeNeeds, gpus: int) -> Iterator[str]:
    wanted, free = shared_bytes(needs, cpus=usable_cpus(), gpus=gpus), free_bytes(SHARED_MEMORY)
    if free is not None and free < wanted:
        yield (
            f"{SHARED_MEMORY} has {free // MIB} MiB free, and loaders of jobs need {wanted // MIB} MiB: "
            "give a container more by --shm-size, or lower `data_workers`"
        )
