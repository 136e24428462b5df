"""What a machine or container gives to jobs: cores, shared memory, files, ports, a file system."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import tempfile
from pathlib import Path

from lsbench.core.errors import StoreError
from lsbench.core.lock import locked

CGROUPS = Path("/sys/fs/cgroup")
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - shared memory itself


def quota_cpus(root: Path = CGROUPS) -> float | None:
    """Return the CPUs that the cgroup of this process may use at a time; None without a limit or cgroup."""
    found = [limit for group in _own_groups(root) for limit in (_quota(group),) if limit is not None]
    return min(found, default=None)


def open_file_limit() -> int:
    """Return the number of files that a process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft


def port_range() -> tuple[int, int] | None:
    """Return the first and last port that the system gives to programs, or None if it does not tell."""
    try:
        first, last = PORT_RANGE.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return int(first), int(last)


def free_ports(wanted: int) -> int:
    """Return how many of `wanted` ports of this machine could be had at the same time."""
    with contextlib.ExitStack() as stack:
        for count in range(wanted):
            try:
                stack.enter_context(socket.socket()).bind(("127.0.0.1", 0))
            except OSError:
                return count
    return wanted


def free_bytes(folder: Path) -> int | None:
    """Return the free room of a folder's file system, or None if there is no such folder."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def innermost_existing(folder: Path) -> Path:
    """Return the folder, or the innermost folder around it that exists."""
    whole = folder.absolute()
    return next(path for path in (whole, *whole.parents) if path.is_dir())


def try_file_system(folder: Path) -> tuple[list[str], list[str]]:
    """Write into a folder, lock and sync there, and remove everything again.

    Returns:
        One text for each thing that lsbench needs and the file system lacks, and one for each that is merely
        missing.
    """
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".lsbench-doctor-") as made:
            return _locks(Path(made)), [*_modes(Path(made)), *_folder_sync(Path(made))]
    except OSError as error:
        return [f"cannot be written ({error.strerror or error})"], []


def _locks(folder: Path) -> list[str]:
    try:
        with locked(folder / "lock", what="a file"):
            return []
    except StoreError as error:
        cause = error.__cause__
        return [f"no file locks ({getattr(cause, 'strerror', None) or error})"]


def _modes(folder: Path) -> list[str]:
    file = folder / "file"
    file.touch()
    with contextlib.suppress(OSError):
        file.chmod(0o600)
        if file.stat().st_mode & 0o777 == 0o600:
            return []
    return ["no permissions (chmod)"]


def _folder_sync(folder: Path) -> list[str]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        return ["no sync of folders"]
    finally:
        os.close(descriptor)
    return []


def _own_groups(root: Path) -> list[Path]:
    """Return the folders of this process's cgroup and of those around it, in version 2 or for CPUs in 1."""
    found = [root, root / "cpu", root / "cpu,cpuacct"]
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            base = root / controllers if controllers else root
            found += [base.joinpath(*Path(path).parts[1 : end + 1]) for end in range(len(Path(path).parts))]
    return list(dict.fromkeys(found))


def _quota(group: Path) -> float | None:
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
            quota, period = " ".join((group / name).read_text(encoding="ascii") for name in names).split()
            if quota != "max" and int(quota) > 0:
                return int(quota) / int(period)
    return None
