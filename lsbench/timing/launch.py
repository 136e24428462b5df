"""Start the process of a timing and wait for its reply."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from lsbench.core.errors import MeasurementError
from lsbench.core.forking import (
    connect_to,
    own_server,
    read_events,
    send_request,
    short_folder,
    start_server,
)
from lsbench.timing.image_size import size_text
from lsbench.timing.request import Reply, Request

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

#: Folders of the fork server that this process has started for its timings, the newest last.
_started: list[Path] = []


def run_apart(request: Request) -> Reply:
    """Return the reply to a request, measured in a process of its own that dies with this one.

    The process is forked from the fork server that this one comes from, or else from one that is started
    for it: it has run nothing but imports, and has one thread. Its output goes to this one's output.

    Args:
        request: What to measure.

    Raises:
        MemoryError: If the host's or the device's memory ran out.
        MeasurementError: If the model raised another error, or the process died.
        StoreError: If no fork server can be started.
    """
    with own_server() or _server() as server:
        reply, status = _ask(request, server)
    if status != 0 or reply is None:
        raise MeasurementError(_death(status, request))
    if "error" in reply:
        if reply["error"] == "oom":
            raise MemoryError(reply["message"])
        raise MeasurementError(f"{request.subject.model}: {reply['error']}: {reply['message']}")
    return Reply.model_validate(reply)


def _server() -> socket.socket:
    """Return a connection to the server of this process, which ends with it, or after some idle time."""
    found = connect_to(_started[-1]) if _started else None
    if found is not None:
        return found
    _started.append(Path(tempfile.mkdtemp(prefix="lsbench-", dir=short_folder())))
    return start_server(_started[-1], os.getpid())


def _ask(request: Request, server: socket.socket) -> tuple[dict[str, Any] | None, int | None]:
    """Return the reply, if there is one, and the exit status of the process; None: the server died, too."""
    asked = {
        "action": "timing",
        "request": request.model_dump(mode="json"),
        "env": {**os.environ, **dict.fromkeys(THREADS, str(request.setting.threads))},
        "cpus": sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else None,
    }
    sys.stdout.flush()
    sys.stderr.flush()
    reply: dict[str, Any] | None = None
    with contextlib.suppress(OSError):
        send_request(server, asked, (1, 2))
        for event in read_events(server):
            if event.pop("ev") == "exit":
                return reply, int(event["code"])
            reply = event
    return reply, None


def _death(status: int | None, request: Request) -> str:
    if status is None:
        how = "ended as the node's fork server did"
    else:
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    batch = f"{request.batch_size} images of {size_text(request.img_size)} px"
    return (
        f"{request.subject.model}: the process that timed it {how} without a reply, at {batch}; "
        "see the job's log, and lower `batch_size` if memory ran out"
    )
