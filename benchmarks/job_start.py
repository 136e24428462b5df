"""Start time of a job's process: forked from the node's preloaded server, or a fresh interpreter.

Both import the modules of a training and report from inside the child. Run on an idle machine:

    python benchmarks/job_start.py
"""

from __future__ import annotations

import os
import secrets
import statistics
import subprocess
import sys
import time

from lsbench.scheduler.forkserver import PRELOAD
from lsbench.scheduler.supervisor import run_request

REPEATS = 10


def forked(token: str) -> float:
    """Return the seconds until a forked child reports that it runs."""
    started = time.perf_counter()
    request = {"action": "preflight", "variants": []}
    stream = run_request(request, token=token, watched_pid=os.getpid(), timeout_s=60.0)
    next(event for event in stream if event["ev"] == "preflight")
    waited = time.perf_counter() - started
    list(stream)
    return waited


def fresh() -> float:
    """Return the seconds until a fresh interpreter has imported the same modules."""
    started = time.perf_counter()
    code = "import importlib\n" + "".join(f"importlib.import_module({name!r})\n" for name in PRELOAD)
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - fixed words
    return time.perf_counter() - started


def main() -> None:
    """Measure both in turns and print the medians and their ratio."""
    token = secrets.token_hex(4)
    forked(token)  # starts the server
    fresh()  # fills the file cache
    pairs = [(forked(token), fresh()) for _ in range(REPEATS)]
    fork, new = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"forked {fork:.3f} s, fresh {new:.3f} s, ratio {new / fork:.0f} (medians of {REPEATS})")


if __name__ == "__main__":
    main()
