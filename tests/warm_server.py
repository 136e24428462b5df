"""The server of :mod:`tests.warm_python`: imports, and forks commands."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
from pathlib import Path
from typing import Any, NoReturn

#: What the verbs import, some at once and some as late as they can.
PRELOADED = (
    "pandas",
    "pyarrow.parquet",
    "scipy.stats",
    "statsmodels.stats.contingency_tables",
    "timm.data",
    "timm.optim",
    "timm.scheduler",
    "torchvision",
    "lsbench.cli.main",
    "lsbench.cli.same_numbers",
    "lsbench.data.datasets.fashion",
    "lsbench.engine.evaluator",
    "lsbench.engine.trainer",
    "lsbench.gate.judge",
    "lsbench.jobs.evaluate",
    "lsbench.jobs.profile",
    "lsbench.jobs.train",
    "lsbench.models.factory",
    "lsbench.models.ops.ska_cpu_kernels",
    "lsbench.reports.console",
    "lsbench.reports.html",
    "lsbench.reports.latex",
    "lsbench.scheduler.inline",
    "lsbench.tables.summary",
)


#: Python's exit code if its last words are lost.
LOST_OUTPUT = 120
#: The program that stands for Python; it starts without site-packages, which the server alone needs.
PROGRAM = """\
#!{python} -IS
import sys
sys.path.insert(0, {tests!r})
from warm_python import leave, run_client
leave(run_client({socket!r}, {python!r}, {variables!r}, sys.argv[1:]))
"""


def start_server(folder: Path, watched: int, environment: dict[str, str]) -> Path:
    """Start a server, unless there is one, and return the program that has it run commands.

    Args:
        folder: Where the program lies, for all processes that share the server.
        watched: The server ends when this process is gone.
        environment: The server's: that of all processes that share it, before a test has changed its own.
    """
    from .warm_python import fixed_variables

    program = folder / "warm_python"
    with (folder / "warm_python.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if program.exists():
            return program
        path = os.path.join(tempfile.mkdtemp(prefix="lsb"), "socket")  # in a short path
        command = [sys.executable, "-P", __file__, path, str(program), str(watched)]
        with (folder / "warm_python.log").open("w") as log:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=True,
                env=environment,
            )
        variables = fixed_variables(environment)
        text = PROGRAM.format(
            python=sys.executable, tests=str(Path(__file__).parent), socket=path, variables=variables
        )
        program.write_text(text)
        program.chmod(0o700)
    return program


class Server:
    """Forks commands until the process that it watches is gone."""

    def __init__(self, path: str, watched: int) -> None:
        """Make the socket; whoever asks from now on waits for the imports.

        Args:
            path: Where to make the socket, in a folder of its own.
            watched: A process that outlives all commands.
        """
        self.path, self.watched = path, watched
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(64)
        self.commands: dict[socket.socket, int] = {}

    def serve(self) -> dict[str, Any]:
        """Serve; return in a fork, with the request for a command."""
        for module in PRELOADED:
            importlib.import_module(module)
        gc.freeze()
        read, write = os.pipe2(os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        while is_alive(self.watched):
            ready, _, _ = select.select([self.listener, read, *self.commands], [], [], 1)
            for one in ready:
                if one is self.listener:
                    request = self._start()
                    if request is not None:
                        signal.set_wakeup_fd(-1)
                        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                        os.close(read)
                        os.close(write)
                        return request
                elif one is read:
                    os.read(read, 4096)
                else:  # whoever asked for it was killed
                    os.kill(self.commands[one], signal.SIGKILL)
            self._tell_who_ended()
        for pid in self.commands.values():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(os.path.dirname(self.path))
        os._exit(0)

    def _start(self) -> dict[str, Any] | None:
        """Fork for who has come; return the request in the fork alone."""
        client, _ = self.listener.accept()
        head, streams, _, _ = socket.recv_fds(client, 8, 3)
        if len(head) < 8:  # it was killed before it could ask
            client.close()
            return None
        with client.makefile("rb") as reader:
            request = json.loads(reader.read(int.from_bytes(head, "big")))
        pid = os.fork()
        if pid == 0:
            for one in (self.listener, client, *self.commands):
                one.close()
            return {**request, "streams": streams}
        for stream in streams:
            os.close(stream)
        self.commands[client] = pid
        return None

    def _tell_who_ended(self) -> None:
        for client, pid in list(self.commands.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self.commands[client]
                with client, contextlib.suppress(OSError):
                    client.sendall(status.to_bytes(8, "big"))


def is_alive(pid: int) -> bool:
    """Return whether a process of this user is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def become(request: dict[str, Any], folders: list[str]) -> None:
    """Make this fork what a new interpreter would be, and run the program.

    Args:
        request: What the client sent, and its standard streams.
        folders: The entries of `sys.path` behind those of PYTHONPATH.
    """
    os.setsid()
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["folder"])
    for target, stream in enumerate(request["streams"]):
        os.dup2(stream, target)
        os.close(stream)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        new = standard_stream(number, name)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    sys.path[:] = [*filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)), *folders]
    tempfile.tempdir = None
    flag, program, *arguments = request["words"]
    try:
        if flag == "-m":
            sys.argv[:] = [program, *arguments]
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            sys.argv[:] = [flag, *arguments]
            sys.modules["__main__"] = main = types.ModuleType("__main__")
            exec(compile(program, "<string>", "exec"), main.__dict__)
    except SystemExit as end:
        if isinstance(end.code, int | None):
            leave(end.code or 0)
        raise
    leave(0)


def leave(status: int) -> NoReturn:
    """End as Python does, but for freeing all that the server has imported: that takes half a second."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = LOST_OUTPUT
    os._exit(status & 0xFF)


def standard_stream(number: int, name: str) -> io.TextIOWrapper:
    """Return a stream with the ways of the server's own, but for those of a terminal."""
    old, mode = getattr(sys, name), "w" if number else "r"
    raw = io.FileIO(number, mode, closefd=False)
    raw.name = f"<{name}>"  # type: ignore[misc]
    unbuffered = old.write_through
    if number == 0:
        buffer: Any = io.BufferedReader(raw)
    else:
        buffer = raw if unbuffered else io.BufferedWriter(raw)
    is_line_by_line = old.line_buffering or (raw.isatty() and not unbuffered)
    stream = io.TextIOWrapper(
        buffer, old.encoding, old.errors, "\n", line_buffering=is_line_by_line, write_through=unbuffered
    )
    stream.mode = mode  # type: ignore[misc]
    return stream


def serve_and_become(path: str, program: str, watched: int) -> None:
    """Serve, and be a command in each fork; the processes that it starts are forked, too."""
    sys.executable = program
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    folders = [folder for folder in sys.path if folder not in own]
    server = Server(path, watched)
    if os.fork() == 0:  # whoever started it waits no longer than for the socket
        become(server.serve(), folders)


if __name__ == "__main__":
    serve_and_become(sys.argv[1], sys.argv[2], int(sys.argv[3]))
