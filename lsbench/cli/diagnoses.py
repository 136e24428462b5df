"""The findings of the doctor, each ok, absent (nothing is broken) or wrong (with what to do)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import psutil

from lsbench.cli.attempts import LOOPS, Attempt, attempts
from lsbench.core.cache_root import cache_root
from lsbench.core.env import code_version, cpu_name, package_version, usable_cpus
from lsbench.core.errors import DataError, MissingDataError
from lsbench.core.host import (
    SHARED_MEMORY,
    free_bytes,
    free_ports,
    innermost_existing,
    open_file_limit,
    port_range,
    quota_cpus,
    try_file_system,
)
from lsbench.core.registry import ANALYSES, DATASETS, JOBS, LOGGERS, METRICS, PROBES, REPORTS, RUNTIMES

PACKAGES = ("torch", "torchvision", "timm", "ray", "pandas", "pyarrow", "fvcore", "imagecorruptions", "scipy")
#: Packages whose import is tried.
IMPORTED = ("ray", "imagecorruptions")
#: Kinds of plug-ins that can be imported without torch.
LIGHT = (JOBS, DATASETS, METRICS, PROBES, ANALYSES, RUNTIMES, LOGGERS, REPORTS)
GIB, MIB = 2**30, 2**20
LOW_DISK_BYTES = 5 * GIB
#: Room in shared memory for Ray's objects, and for images on their way from loaders.
LOW_SHARED_BYTES = 256 * MIB
LOW_OPEN_FILES = 1024
#: Ports that a local Ray takes, with room to spare.
PORTS = 64

State = Literal["ok", "absent", "wrong"]


@dataclass(frozen=True)
class Diagnosis:
    """One finding: what was examined, its state, and details."""

    what: str
    found: str
    state: State = "ok"


def examine(results: Path, data_root: Path | None) -> Iterator[Diagnosis]:
    """Yield the findings on this machine.

    Args:
        results: The results folder that a run would use.
        data_root: Folder of the large data sets, or None.
    """
    version = code_version()
    yield Diagnosis("lsbench", f"{version['lsbench']} ({(version['git_sha'] or 'installed')[:12]})")
    for name in PACKAGES:
        installed = package_version(name)
        yield Diagnosis(
            name, installed or f"not installed; pip install {name}", "ok" if installed else "wrong"
        )
    with attempts([*IMPORTED, LOOPS]) as running:
        yield from _hardware()
        yield from _limits()
        yield _results(results)
        tried = running.ended()
    yield from _import_problems(tried)
    yield from _cache(tried[LOOPS])
    yield from _datasets(data_root)
    yield from _outside_plugins()


def _import_problems(tried: Mapping[str, Attempt]) -> Iterator[Diagnosis]:
    """Yield the packages that cannot be used, of those that break most often when versions do not match."""
    if problem := _library_problem("torchvision"):
        yield Diagnosis("import torchvision", problem, "wrong")
    for name in IMPORTED:
        if not tried[name].is_good:
            yield Diagnosis(f"import {name}", tried[name].text, "wrong")


def _library_problem(name: str) -> str | None:
    """Return why torch cannot load the compiled operators of a package that were built for it, if so.

    Its import would fail for the same reason, and takes longer.
    """
    import torch

    load: Any = torch.ops.load_library
    spec = find_spec(name)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    try:
        for library in sorted(file for folder in folders for file in Path(folder).glob("_C*.so")):
            load(library)
    except OSError as error:
        return f"its compiled operators are for another torch than {torch.__version__}: {error}"
    return None


def _hardware() -> Iterator[Diagnosis]:
    quota = quota_cpus()
    limit = "" if quota is None else f", {quota:g} by its cgroup"
    load = os.getloadavg()[0]
    yield Diagnosis(
        "CPU", f"{cpu_name()}, {usable_cpus()} usable cores of {os.cpu_count()}{limit}, load {load:.1f}"
    )
    memory = psutil.virtual_memory()
    yield Diagnosis("memory", f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free")
    import torch

    from lsbench.engine.process import unsupported_device

    if not torch.cuda.is_available():
        kind = unsupported_device()
        found = "none that torch can use" if kind is None else f"lsbench does not support {kind}"
        yield Diagnosis("GPU", f"{found}; jobs run on the CPU", "absent")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield Diagnosis(f"GPU {index}", f"{properties.name}, {properties.total_memory / GIB:.0f} GiB")


def _limits() -> Iterator[Diagnosis]:
    """Yield what Ray and the loaders of images need from the system."""
    from lsbench.scheduler.local_ray import folder_problem, temporary_folder

    shared = free_bytes(SHARED_MEMORY)
    if shared is None:
        yield Diagnosis("shared memory", f"no {SHARED_MEMORY}; Ray uses the disk instead", "absent")
    else:
        room = f"{shared / MIB:.0f} MiB free in {SHARED_MEMORY}"
        cure = f"; {LOW_SHARED_BYTES // MIB} MiB are needed, in a container by --shm-size 2g"
        yield _judged("shared memory", room, cure, is_good=shared >= LOW_SHARED_BYTES)
    files = open_file_limit()
    cure = f"; Ray needs more, e.g. `ulimit -n {4 * LOW_OPEN_FILES}`"
    yield _judged("open files", f"{files} per process", cure, is_good=files >= LOW_OPEN_FILES)
    ports, free = port_range(), free_ports(PORTS)
    between = "" if ports is None else f" between {ports[0]} and {ports[1]}"
    cure = "; Ray needs them on 127.0.0.1: bring the loopback interface up, widen ip_local_port_range"
    yield _judged("ports", f"{free} of {PORTS} tried are free{between}", cure, is_good=free == PORTS)
    problem = folder_problem()
    yield Diagnosis("Ray's folder", problem or f"{temporary_folder()}", "wrong" if problem else "ok")


def _judged(what: str, found: str, cure: str, *, is_good: bool) -> Diagnosis:
    return Diagnosis(what, found) if is_good else Diagnosis(what, found + cure, "wrong")


def _results(results: Path) -> Diagnosis:
    folder = innermost_existing(results)
    free = free_bytes(folder) or 0
    lacks, misses = try_file_system(folder)
    if taken := next((path for path in (results, *results.parents) if path.is_file()), None):
        lacks = [f"{taken} is a file"]
    if free < LOW_DISK_BYTES:
        lacks.append(f"less than {LOW_DISK_BYTES // GIB} GiB free")
    room = f"{free / GIB:.1f} GiB free"
    if lacks:
        return Diagnosis(f"results in {results}", f"{room}, {', '.join(lacks)}; use --results DIR", "wrong")
    return Diagnosis(f"results in {results}", ", ".join([room, *misses]))


def _cache(loops: Attempt) -> Iterator[Diagnosis]:
    try:
        root = cache_root()
    except DataError as error:
        yield Diagnosis("cache", str(error), "wrong")
        return
    lacks, misses = try_file_system(root)
    room = f"{root}, {(free_bytes(root) or 0) / GIB:.1f} GiB free"
    cure = f", {', '.join(lacks)}; set LSBENCH_CACHE to a folder on a local disk"
    yield _judged("cache", ", ".join([room, *misses]), cure, is_good=not lacks)
    if loops.is_good:
        yield Diagnosis("compiled loops", f"compiled and read again in {loops.text}")
    else:
        yield Diagnosis("compiled loops", f"{loops.text}; set LSBENCH_CACHE", "wrong")


def _datasets(data_root: Path | None) -> Iterator[Diagnosis]:
    for name in DATASETS.usable_names():
        plugin = DATASETS.load(name)
        try:
            spec = plugin.spec.model_validate({"name": name})
        except ValueError:
            continue  # it needs settings that only a suite has
        yield _dataset(name, plugin, spec, data_root)


def _dataset(name: str, plugin: Any, spec: Any, data_root: Path | None) -> Diagnosis:
    from lsbench.data.cache import is_in_cache

    what = f"data set {name}"
    try:
        fingerprint = plugin.fingerprint(spec, data_root)
    except MissingDataError:
        where = "no folder given; use --data DIR or LSBENCH_DATA"
        return Diagnosis(what, where if data_root is None else f"not in {data_root}", "absent")
    except DataError as error:
        return Diagnosis(what, str(error).splitlines()[0], "wrong")
    if getattr(plugin, "is_generated", False) and not is_in_cache(name, fingerprint):
        return Diagnosis(what, "made in the cache on first use", "absent")
    return Diagnosis(what, f"fingerprint {fingerprint[:12]}")


def _outside_plugins() -> Iterator[Diagnosis]:
    """Yield each plug-in of another package: its origin, or the reason why it cannot be used."""
    for plugins in LIGHT:
        for name in plugins.outside_names():
            problem = plugins.problem(name)
            found = problem or f"of {plugins.package_of(name)}"
            yield Diagnosis(f"{plugins.kind} {name}", found, "wrong" if problem else "ok")
