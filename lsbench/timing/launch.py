"""Start the process of a timing and wait for its reply."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lsbench.core.errors import MeasurementError
from lsbench.core.lifeline import child_environment
from lsbench.timing.image_size import size_text
from lsbench.timing.request import Reply, Request

COMMAND = (sys.executable, "-P", "-m", "lsbench.timing.measure")
"""-P keeps the working folder off the path, where a checkout would hide the installed code."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_apart(request: Request, *, command: Sequence[str] = COMMAND) -> Reply:
    """Return the reply to a request, measured in a fresh process that dies with this one.

    Output of the process goes to this one's output.

    Args:
        request: What to measure.
        command: The command to start; the path of the reply file is appended.

    Raises:
        MemoryError: If the host's or the device's memory ran out.
        MeasurementError: If the model raised another error, or the process died.
    """
    threads = dict.fromkeys(THREADS, str(request.setting.threads))
    with tempfile.TemporaryDirectory(prefix="lsbench-") as folder:
        file = Path(folder) / "reply.json"
        with subprocess.Popen(  # noqa: S603 - our own module
            [*command, str(file)], stdin=subprocess.PIPE, env=child_environment(**threads)
        ) as process:
            try:
                process.communicate(request.model_dump_json().encode() + b"\n")
            finally:
                process.kill()
        status = process.wait()
        if status != 0 or not file.exists():
            raise MeasurementError(_death(status, request))
        reply = json.loads(file.read_text(encoding="utf-8"))
    if "error" in reply:
        if reply["error"] == "oom":
            raise MemoryError(reply["message"])
        raise MeasurementError(f"{request.subject.model}: {reply['error']}: {reply['message']}")
    return Reply.model_validate(reply)


def _death(status: int, request: Request) -> str:
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    batch = f"{request.batch_size} images of {size_text(request.img_size)} px"
    return (
        f"{request.subject.model}: the process that timed it {how} without a reply, at {batch}; "
        "see the job's log, and lower `batch_size` if memory ran out"
    )
