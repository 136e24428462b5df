"""Ask the jobs of this node to save and end, before the node goes away.

``python -m lsbench.scheduler.drain`` does it for all runs of this user on this machine and waits for their
end: when the time of a batch job is nearly over, before a pod stops, and by hand before a machine is switched
off. The driver runs the jobs again elsewhere, from what they have saved.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from lsbench.core.counted import counted
from lsbench.core.forking import connect_to
from lsbench.core.stopping import GRACE_S
from lsbench.scheduler.supervisor import server_folder

POLL_S = 0.2
PREFIX = f"lsbench-{os.getuid()}-"


def drain(folders: Iterable[Path], *, wait_s: float = GRACE_S) -> tuple[int, int]:
    """Ask the jobs of some fork servers to stop, and wait for their end.

    Args:
        folders: Those of the servers; one without a server that answers has no jobs.
        wait_s: Most seconds to wait.

    Returns:
        How many jobs there were, and how many of them have not ended.
    """
    servers, deadline = list(folders), time.monotonic() + wait_s
    left = begun = sum(_ask(folder) for folder in servers)
    while left and time.monotonic() < deadline:
        time.sleep(POLL_S)
        left = sum(_ask(folder) for folder in servers)
    return begun, left


def _ask(folder: Path) -> int:
    """Ask the jobs of one server to stop; return how many there are."""
    connection = connect_to(folder)
    if connection is None:
        return 0
    with connection, connection.makefile("rwb") as stream:
        try:
            stream.write(json.dumps({"action": "stop"}).encode() + b"\n")
            stream.flush()
            answer = stream.readline()
        except OSError:
            return 0
    return int(json.loads(answer)["count"]) if answer else 0


def own_servers() -> list[Path]:
    """Return the folders of all fork servers of this user on this machine."""
    places = {server_folder("").parent, Path(tempfile.gettempdir())}
    return sorted(folder for place in places for folder in place.glob(f"{PREFIX}*") if folder.is_dir())


def main() -> int:
    """Run the command; return 1 if a job has not ended in time."""
    parser = argparse.ArgumentParser(
        prog="python -m lsbench.scheduler.drain",
        description="Ask the jobs of this node to save and end; the run goes on with them elsewhere.",
    )
    parser.add_argument("--wait", type=float, default=GRACE_S, metavar="SECONDS", help="wait at most so long")
    begun, left = drain(own_servers(), wait_s=parser.parse_args().wait)
    print(f"{begun - left} of {counted(begun, 'job has', 'jobs have')} ended")
    return int(left > 0)


if __name__ == "__main__":
    sys.exit(main())
