"""Tell from an error of torch, CUDA, NCCL or gloo what has failed: the device, its memory, or the network.

These libraries raise plain ``RuntimeError`` for nearly everything, so their texts decide. No torch here.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Collection
from dataclasses import dataclass

from lsbench.core.errors import (
    CommunicationError,
    DeviceFaultError,
    DeviceLostError,
    DeviceMemoryError,
    LsbenchError,
    MeasurementError,
    SharedMemoryError,
    ShareMemoryError,
)
from lsbench.core.host import SHARED_MEMORY, free_bytes

MIB = 2**20
DEVICE_MEMORY = (
    *("cuda out of memory", "hip out of memory", "cuda error: out of memory", "hip error: out of memory"),
    *("triton error [cuda]: out of memory", "cuda failure 2 'out of memory'", "cuda failure 'out of memory'"),
    *("cublas_status_alloc_failed", "cudnn_status_alloc_failed", "hipblas_status_alloc_failed"),
)
HOST_MEMORY = ("defaultcpuallocator: can't allocate memory", "cannot allocate memory")
SHARED = (
    *("bus error", "sigbus", "unable to allocate shared memory", "unable to open shared memory object"),
    *("unable to write to file </torch_", "memory segment /dev/shm", "workers are out of shared memory"),
)
#: The machine shows no device at all, or its driver does not work.
LOST = (
    *("no cuda gpus are available", "no hip gpus are available", "no cuda-capable device is detected"),
    *("found no nvidia driver", "nvidia driver on your system is too old", "invalid device ordinal"),
    *("cuda driver version is insufficient", "driver/library version mismatch", "gpu is lost"),
    *("cuda driver initialization failed", "cuda unknown error", "system not yet initialized"),
    *("forward compatibility was attempted on non supported hw", "torch not compiled with cuda enabled"),
    *("unsupported display driver", "fallen off the bus"),
)
#: One device is broken or taken; another may do.
FAULTS = (
    *("ecc error", "nvlink error", "busy or unavailable", "devices are busy", "hardware stack error"),
    *("cudnn_status_execution_failed", "cudnn_status_internal_error", "cudnn_status_not_initialized"),
    *("cublas_status_execution_failed", "cublas_status_not_initialized", "miopenstatusinternalerror"),
)
#: Only these say that another rank is gone.
LOST_RANK = (
    *("connection closed by peer", "connection reset by peer", "connection closed by remote peer"),
    *("broken pipe", "ncclremoteerror", "remote process exiting prematurely", "communicator was aborted"),
    *("connection was likely closed", "application timeout caused pair closure"),
)
#: Errors of communication that are the same at the next try.
SETTINGS = (
    *("unable to find address for", "no socket interface found", "no interface found"),
    *(
        "duplicate gpu detected",
        "ncclinvalidusage",
        "ncclinvalidargument",
        "invalid usage",
        "invalid argument",
    ),
)
NETWORK = ("gloo", "nccl", "rccl", "tcpstore", "rendezvous")


#: What the end of one rank tells of the end of its job, from least to most; its own error tells more.
TELLS = ("worker_lost", "communication", "killed", "preempted", "timeout", "node_lost")


@dataclass(frozen=True)
class Held:
    """What a job holds while it runs.

    Attributes:
        share: Its share of the memory of its device; 1 if it holds whole devices, or none.
        batch_settings: Those of its settings that bound the images on the device at a time.
    """

    share: float = 1.0
    batch_settings: tuple[str, ...] = ()


def explained(error: BaseException, held: Held = Held()) -> BaseException:
    """Return the error that a failed job is stored with: one of ours if its cause is known, else `error`."""
    if isinstance(error, LsbenchError) and not isinstance(error, MeasurementError):
        return error
    text = _flat(error)
    kinds: tuple[tuple[type[LsbenchError], Collection[str]], ...] = (
        (SharedMemoryError, SHARED),
        (DeviceLostError, LOST),
        (DeviceFaultError, FAULTS),
    )
    if type(error).__name__ == "OutOfMemoryError" or _has(text, DEVICE_MEMORY):
        return _out_of_device_memory(error, held)
    if _is_host_memory(error, text):
        return MemoryError(told(error) or "this machine's memory ran out")
    for kind, signs in kinds:
        if _has(text, signs):
            where = f"; {room_in_shared_memory()}" if kind is SharedMemoryError else f" ({place()})"
            return kind(f"{told(error)}{where}")
    if _is_of_network(error, text) and not _has(text, (*SETTINGS, *LOST_RANK)):
        return CommunicationError(told(error))
    return error


def explains(error_class: str, *, was_killed: bool) -> int:
    """Return how well the end of a rank, or of some ranks, explains the end of the whole job; more is better.

    A lost node loses its ranks, and a killed rank is lost to all others.
    """
    name = "killed" if was_killed and error_class == "worker_lost" else error_class
    return TELLS.index(name) if name in TELLS else len(TELLS)


def is_lost_rank(error: BaseException) -> bool:
    """Return True if an error only says that another rank is gone, not why."""
    return isinstance(error, RuntimeError) and _has(_flat(error), LOST_RANK)


def told(error: BaseException) -> str:
    r"""Return the part of an error's text that says most: its first line, and NCCL's last error.

    >>> told(RuntimeError("NCCL error, unhandled system error\nncclSystemError: x\nLast error:\nno"))
    'NCCL error, unhandled system error; no'
    """
    lines = [line.strip() for line in str(error).strip().splitlines()]
    if not lines:
        return ""
    last = lines.index("Last error:") + 1 if "Last error:" in lines else len(lines)
    return "; ".join([lines[0], *lines[last : last + 1]])


def how_ended(code: int) -> str:
    """Return how a process ended, as part of a sentence; a bus error names what usually ran out.

    Args:
        code: Its exit status; of a process that a signal killed, the negative number of the signal.
    """
    if code >= 0:
        return f"ended with exit status {code}"
    name = signal.Signals(-code).name
    why = f" (Bus error): {room_in_shared_memory()}" if -code == signal.SIGBUS else ""
    return f"was killed by {name}{why}"


def room_in_shared_memory() -> str:
    """Return one clause on the room in shared memory, and what to do if it is too small."""
    free = free_bytes(SHARED_MEMORY)
    found = f"has {free // MIB} MiB free" if free is not None else "does not exist"
    return (
        f"{SHARED_MEMORY} on {socket.gethostname()} {found}: give a container more by --shm-size, or lower "
        "`data_workers`"
    )


def place() -> str:
    """Return the device and the machine of this process."""
    ids = visible_ids()
    number = int(os.environ.get("LOCAL_RANK", "0"))
    device = f"GPU {ids[number]} of " if number < len(ids) else ""
    return f"{device}{socket.gethostname()}"


def own_device() -> str | None:
    """Return the id of this process's device as the machine numbers it, or None if it is not known."""
    ids, number = visible_ids(), int(os.environ.get("LOCAL_RANK", "0"))
    return ids[number] if number < len(ids) else None


def visible_ids() -> list[str]:
    """Return the ids of the devices that this process may use, in their order."""
    return [one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]


def _out_of_device_memory(error: BaseException, held: Held) -> DeviceMemoryError:
    settings = " or ".join(f"`{name}`" for name in held.batch_settings) or "the batch size"
    if held.share < 1:
        return ShareMemoryError(
            f"the job's share of {held.share:g} of the device's memory ran out; give it more by "
            f"`resources: {{num_gpus: 1}}`, or lower {settings} ({place()}): {told(error)}"
        )
    return DeviceMemoryError(
        f"the device's memory ran out; lower {settings}, or take a larger device ({place()}): {told(error)}"
    )


def _is_host_memory(error: BaseException, text: str) -> bool:
    no_room = isinstance(error, OSError) and error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or no_room or _has(text, HOST_MEMORY)


def _is_of_network(error: BaseException, text: str) -> bool:
    if not isinstance(error, RuntimeError) or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return False
    is_torchs = any(kind.__name__ == "DistError" for kind in type(error).__mro__)
    return is_torchs or _has(text, NETWORK)


def _flat(error: BaseException) -> str:
    return " ".join(str(error).lower().split())


def _has(text: str, signs: Collection[str]) -> bool:
    return any(sign in text for sign in signs)
