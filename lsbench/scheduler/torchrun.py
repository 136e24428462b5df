"""Run the ranks of one job on this node with torchrun, and receive their events.

torchrun runs in the child of the fork server (or, without Ray, in a process of its own) and starts each
rank as ``lsbench.scheduler.rank``. Ranks die with it. They send their events through a socket; those of
the first rank are passed on.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lsbench.core.errors import PreemptedError
from lsbench.core.lifeline import child_environment, die_with_parent
from lsbench.core.stopping import heeding_stop, holding_off_stop, raise_if_asked_to_stop
from lsbench.scheduler.causes import explains, how_ended

Emit = Callable[[dict[str, Any]], None]

#: Environment variable of a rank: the socket for its events.
EVENTS = "LSBENCH_RANK_EVENTS"
POLL_S = 0.1
LOOPBACK = "127.0.0.1"
ALONE = {"node_rank": 0, "num_nodes": 1, "endpoint": None}


def run_ranks(request: Mapping[str, Any], emit: Emit) -> int:
    """Run this node's ranks to their end and return the exit status.

    Args:
        request: ``folder`` of the job; ``part`` with ``num_ranks`` here, ``node_rank``, ``num_nodes`` and the
            ``endpoint`` (``host:port`` on the first node) at which they meet; ``scratch``, a short folder.
        emit: Receives the events of the first rank, and at the end at most one ``error``.
    """
    scratch = Path(tempfile.mkdtemp(prefix="ranks-", dir=request.get("scratch")))
    try:
        with Listener(scratch / "events", emit) as listener, holding_off_stop(listener.ask_ranks_to_stop):
            os.environ.setdefault("OMP_NUM_THREADS", "1")  # a job sets its own threads
            os.environ.update(child_environment(**{EVENTS: str(scratch / "events")}))
            lost = _torchrun({**ALONE, **request["part"]}, request["folder"], scratch)
    except PreemptedError as error:
        emit({"ev": "error", "error_class": error.error_class, "message": str(error)})
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if lost is None:
        return 0
    emit({"ev": "error", **root_cause(listener.errors, lost)})
    return 1


def root_cause(errors: list[dict[str, Any]], lost: dict[str, Any]) -> dict[str, Any]:
    """Return the error class and message of a job with failed ranks: those of the first that failed.

    When one rank fails, the others lose it or cannot reach it; so a rank's own error, or a signal that killed
    one, goes before these.

    Args:
        errors: Errors of the ranks, in order of arrival.
        lost: torchrun's report of their end: ``message``, and whether a signal killed one of them.
    """
    ends = [{"error_class": "worker_lost", **lost}, *errors]
    cause = max(ends, key=lambda end: explains(end["error_class"], was_killed=end.get("was_killed", False)))
    return {key: value for key, value in cause.items() if key != "ev"}


def _torchrun(part: Mapping[str, Any], folder: str, scratch: Path) -> dict[str, Any] | None:
    """Run the ranks; return None if all ended well, else a report of their end."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    where = part["endpoint"] or LOOPBACK
    words = [
        f"--nnodes={part['num_nodes']}",
        f"--nproc-per-node={part['num_ranks']}",
        *(_meeting_on(where, part["node_rank"]) if part["endpoint"] else _meeting_here()),
        "--max-restarts=0",
        f"--monitor-interval={POLL_S}",
        "--signals-to-handle=SIGINT",  # SIGTERM is passed on to the ranks, which save and end by themselves
        f"--log-dir={scratch}",
        "--no-python",
        # -P keeps the working folder off the path: a checkout in it would hide the installed code.
        *(sys.executable, "-P", "-u", "-m", "lsbench.scheduler.rank", folder),
    ]
    try:
        run.run(run.parse_args(words))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        return how_ranks_ended(error.failures)
    except Exception as error:  # noqa: BLE001 - any reason why the ranks do not meet
        lines = str(error).strip().splitlines()
        why = lines[0] if lines else type(error).__name__
        return {"message": f"the ranks did not meet at {where}: {why}"}
    return None


def _meeting_on(endpoint: str, node_rank: int) -> list[str]:
    """Return torchrun's options for ranks of several nodes that meet on the first one."""
    host, _, port = endpoint.rpartition(":")
    return [f"--node-rank={node_rank}", f"--master-addr={host}", f"--master-port={port}"]


def _meeting_here() -> list[str]:
    """Return torchrun's options for ranks of this node alone, whose sockets nobody else can reach."""
    from torch.distributed.elastic.rendezvous import rendezvous_handler_registry

    from lsbench.scheduler.loopback import BACKEND, create_rendezvous

    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    rendezvous_handler_registry.register(BACKEND, create_rendezvous)
    return [f"--rdzv-backend={BACKEND}", f"--rdzv-endpoint={LOOPBACK}:0"]


def how_ranks_ended(failures: Mapping[int, Any]) -> dict[str, Any]:
    """Return a report of failed ranks; a rank killed by a signal goes before those that lost it.

    Args:
        failures: Rank -> torch's record of its failure, with ``exitcode``, the first failure first.
    """
    killed = [rank for rank, failure in failures.items() if failure.exitcode < 0]
    rank = (killed or list(failures))[0]
    code = failures[rank].exitcode
    return {"message": f"rank {rank} {how_ended(code)}", "was_killed": code < 0}


def free_endpoint(host: str) -> str:
    """Return ``host:port`` with a currently free port."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


class Listener:
    """Receives the events of ranks in a thread: errors are kept, other events are passed on."""

    def __init__(self, path: Path, emit: Emit) -> None:
        """Listen at `path`, which only this user can access."""
        self.errors: list[dict[str, Any]] = []
        self._emit = emit
        self._ranks: list[int] = []
        self._is_asked_to_stop = False
        self._stopping = threading.Event()
        self._pending: dict[socket.socket, bytes] = {}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen(64)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Receive everything sent so far, and stop."""
        self._stopping.set()
        self._thread.join()
        for connection in (self._socket, *self._pending):
            connection.close()
        self._selector.close()

    def ask_ranks_to_stop(self) -> None:
        """Ask every rank to stop, also one that is not here yet; before any is, there is nothing to save.

        Raises:
            PreemptedError: If no rank is here.
        """
        self._is_asked_to_stop = True
        if not self._ranks:
            raise_if_asked_to_stop()
        for pid in tuple(self._ranks):
            _ask_to_stop(pid)

    def _serve(self) -> None:
        while True:
            ready = self._selector.select(timeout=POLL_S)
            if not ready and self._stopping.is_set():
                return
            for key, _ in ready:
                if key.fileobj is self._socket:
                    connection, _ = self._socket.accept()
                    self._pending[connection] = b""
                    self._ranks.append(_peer(connection))
                    if self._is_asked_to_stop:
                        _ask_to_stop(self._ranks[-1])
                    self._selector.register(connection, selectors.EVENT_READ)
                else:
                    self._read(key.fileobj)  # type: ignore[arg-type]  # only sockets are registered

    def _read(self, connection: socket.socket) -> None:
        part = b""
        with contextlib.suppress(OSError):
            part = connection.recv(65536)
        if not part:
            self._selector.unregister(connection)
            del self._pending[connection]
            connection.close()
            return
        *lines, self._pending[connection] = (self._pending[connection] + part).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if event["ev"] == "error":
                self.errors.append({**event, "at": time.time()})
            else:
                self._emit(event)


def _peer(connection: socket.socket) -> int:
    """Return the id of the process at the other end of a socket of this machine."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def _ask_to_stop(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def run_apart(request: Mapping[str, Any], emit: Emit) -> int:
    """Run :func:`run_ranks` in a separate process that dies with this one."""
    read, write = os.pipe()
    command = [sys.executable, "-P", "-m", "lsbench.scheduler.torchrun", json.dumps(request), str(write)]
    with Path(request["log"]).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[write],
            start_new_session=True,
        )
    os.close(write)
    try:
        with os.fdopen(read) as lines, holding_off_stop(lambda: _ask_to_stop(process.pid)):
            for line in lines:
                emit(json.loads(line))
            return process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def _line_writer(descriptor: int) -> Iterator[Emit]:
    with os.fdopen(descriptor, "w") as stream:

        def emit(event: dict[str, Any]) -> None:
            stream.write(json.dumps(event) + "\n")
            stream.flush()

        yield emit


def main() -> None:
    """Run ranks: ``python -m lsbench.scheduler.torchrun REQUEST DESCRIPTOR``."""
    die_with_parent()
    with _line_writer(int(sys.argv[2])) as emit, heeding_stop():
        status = run_ranks(json.loads(sys.argv[1]), emit)
    sys.exit(status)


if __name__ == "__main__":
    main()
