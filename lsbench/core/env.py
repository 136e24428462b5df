"""Provenance: the code, the machine and their state. Imports nothing heavy."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lsbench
from lsbench.core.host import quota_cpus
from lsbench.core.registry import PACKAGE_ROOT


def package_version(name: str) -> str | None:
    """Return the installed version of a package, or None; the package is not imported."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def git_state(folder: Path = PACKAGE_ROOT) -> dict[str, Any]:
    """Return ``{"git_sha", "git_dirty"}`` of the checkout; both None if the package is installed."""
    if not (folder.parent / ".git").exists():
        return {"git_sha": None, "git_dirty": None}
    return {
        "git_sha": _git(folder.parent, "rev-parse", "HEAD"),
        "git_dirty": bool(_git(folder.parent, "status", "--porcelain", "-uno")),
    }


def repository_state(folder: Path) -> tuple[Path | None, str | None, bool]:
    """Return root and commit of the git repository around a folder, and whether it has changes.

    Root and commit are None where there is no repository, no commit or no git.
    """
    root = _git(folder, "rev-parse", "--show-toplevel")
    if not root:
        return None, None, False
    changes = _git(folder, "status", "--porcelain", "-uno")
    return Path(root), _git(folder, "rev-parse", "--verify", "HEAD"), bool(changes)


def _git(folder: Path, *words: str) -> str | None:
    command = ["git", "-C", str(folder), *words]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


@cache
def source_sha256(folder: Path = PACKAGE_ROOT) -> str:
    """Return the first 12 digits of a hash of all Python files in `folder`.

    A commit is not enough: code may have been changed without a commit, and an installed package has none.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def code_label(where: Mapping[str, Any]) -> str | None:
    """Return the parts of a provenance, apart from the machine, that can change a number; None if absent.

    >>> code_label({"source_sha256": "0123456789ab", "torch": "2.11.0", "timm": "1.0.20", "host": "a"})
    '0123456789ab, torch 2.11.0, timm 1.0.20'
    """
    source = where.get("source_sha256")
    return None if source is None else f"{source}, torch {where.get('torch')}, timm {where.get('timm')}"


def usable_cpus() -> int:
    """Return the number of CPUs available to this process: those it may run on, within its cgroup's limit."""
    may_run_on = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = quota_cpus()
    return may_run_on if quota is None else max(1, min(may_run_on, int(quota)))


@cache
def cpu_name() -> str:
    """Return the processor's model name as the operating system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def code_version() -> dict[str, Any]:
    """Return version, commit and source hash of lsbench, which must be equal on every node of a cluster."""
    return {"lsbench": lsbench.__version__, **git_state(), "source_sha256": source_sha256()}


def provenance() -> dict[str, Any]:
    """Return the provenance of a measurement made now, in this process."""
    return {
        **code_version(),
        "python": platform.python_version(),
        "torch": package_version("torch"),
        "timm": package_version("timm"),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "nice": os.nice(0) if sys.platform != "win32" else None,
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }
