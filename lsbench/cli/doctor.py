"""The verb ``doctor``: show this machine's software, hardware and data, and any problems."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import typer

from lsbench.cli.options import RESULTS, DataOpt, JsonOpt, ResultsOpt
from lsbench.core.env import code_version, cpu_name, package_version, usable_cpus
from lsbench.core.errors import DataError, ExitCode
from lsbench.core.registry import ANALYSES, DATASETS, JOBS, LOGGERS, METRICS, PROBES, REPORTS

PACKAGES = ("torch", "torchvision", "timm", "ray", "pandas", "pyarrow", "fvcore", "imagecorruptions", "scipy")
#: Kinds of plug-ins that can be imported without torch.
LIGHT = (JOBS, DATASETS, METRICS, PROBES, ANALYSES, LOGGERS, REPORTS)
LOW_DISK_BYTES = 5 * 2**30


@dataclass(frozen=True)
class Diagnosis:
    """One line of the doctor: a name, the finding, and whether it is good."""

    what: str
    found: str
    is_good: bool = True


def doctor(results: ResultsOpt = RESULTS, data: DataOpt = None, as_json: JsonOpt = False) -> None:
    """Show this machine's software, hardware and data, and any problems."""
    bad = 0
    for finding in examine(results, data):
        bad += not finding.is_good
        if as_json:
            typer.echo(json.dumps({"what": finding.what, "found": finding.found, "good": finding.is_good}))
        else:
            typer.echo(f"{'ok ' if finding.is_good else 'BAD'}  {finding.what}: {finding.found}")
    if bad:
        raise typer.Exit(ExitCode.USAGE)


def examine(results: Path, data_root: Path | None) -> Iterator[Diagnosis]:
    """Yield the findings on this machine.

    Args:
        results: The results folder that a run would use.
        data_root: Folder of the large data sets, or None.
    """
    version = code_version()
    yield Diagnosis("lsbench", f"{version['lsbench']} ({version['git_sha'] or 'installed'})")
    for name in PACKAGES:
        installed = package_version(name)
        yield Diagnosis(name, installed or "not installed", installed is not None)
    yield from _imports()
    memory = psutil.virtual_memory()
    yield Diagnosis("CPU", f"{cpu_name()}, {usable_cpus()} usable cores, load {os.getloadavg()[0]:.1f}")
    yield Diagnosis("memory", f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free")
    yield from _gpus()
    yield _disk(results)
    yield from _datasets(data_root)
    yield from _outside_plugins()


def _imports() -> Iterator[Diagnosis]:
    """Import the packages that break most often when versions do not match."""
    for name in ("torchvision", "ray", "imagecorruptions"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a broken package may raise anything
            yield Diagnosis(f"import {name}", f"{type(error).__name__}: {error}", is_good=False)


def _gpus() -> Iterator[Diagnosis]:
    import torch

    if not torch.cuda.is_available():
        yield Diagnosis("GPU", "none that torch can use; jobs run on the CPU")
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield Diagnosis(f"GPU {index}", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")


def _disk(results: Path) -> Diagnosis:
    folder = next(
        (path for path in [results.absolute(), *results.absolute().parents] if path.exists()), Path("/")
    )
    free = shutil.disk_usage(folder).free
    can_write = os.access(folder, os.W_OK)
    state = f"{free / 2**30:.1f} GiB free" + ("" if can_write else ", cannot be written")
    return Diagnosis(f"results in {results}", state, can_write and free > LOW_DISK_BYTES)


def _datasets(data_root: Path | None) -> Iterator[Diagnosis]:
    for name in DATASETS.usable_names():
        plugin = DATASETS.load(name)
        try:
            spec = plugin.spec.model_validate({"name": name})
        except ValueError:
            continue  # it needs settings that only a suite has
        try:
            yield Diagnosis(
                f"data set {name}", f"ready, fingerprint {plugin.fingerprint(spec, data_root)[:12]}"
            )
        except DataError as error:
            yield Diagnosis(f"data set {name}", f"none here ({str(error).splitlines()[0]})")


def _outside_plugins() -> Iterator[Diagnosis]:
    """Yield each plug-in of another package: its origin, or the reason why it cannot be used."""
    for plugins in LIGHT:
        for name in plugins.outside_names():
            problem = plugins.problem(name)
            yield Diagnosis(
                f"{plugins.kind} {name}", problem or f"of {plugins.package_of(name)}", not problem
            )
