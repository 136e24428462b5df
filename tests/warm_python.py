"""A Python that has imported already what commands of lsbench need: they start at once, as forks of it.

A command started with it is a process of its own with its own arguments, environment, working folder,
standard streams and exit code, as with ``python``. It is forked from one server for all tests, which has run
nothing but imports. Where an import may depend on a variable that the test has set, or a standard stream is
closed, a new interpreter is started instead. The command's `sys.executable` is the client, too: processes
that it starts are forked, unless they have to be its children.

Of signals, none but the end of this client reaches the command: a test that sends some, or looks for the
command among all processes, starts `sys.executable`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

#: Variables that no import of the server reads; another value of any other one needs a new interpreter.
READ_LATE = (
    "CUBLAS_WORKSPACE_CONFIG",
    "GLOO_SOCKET_IFNAME",
    "LD_LIBRARY_PATH",  # OpenCV sets it when it is imported, and the variables QT_
    "MASTER_ADDR",
    "MASTER_PORT",
    "RANK",
    "WORLD_SIZE",
    "PYTHONPATH",
    "TMPDIR",
    "TRITON_CACHE_DIR",
    "USER",
    "COLUMNS",
    "PS1",  # a shell that runs a script drops its prompt
    "PWD",
    "OLDPWD",
    "SHLVL",
    "_",
)
READ_LATE_PREFIXES = (
    "LSBENCH_",
    "PYTEST_",
    "AWS_",
    "QT_",
    "RAY_",
    "TORCHINDUCTOR_",
    "_MLFLOW_",
    "MLFLOW_",
    "TUNE_",
)
#: Of a process that dies with its parent, and so must be its child: see :mod:`lsbench.core.lifeline`.
PARENT = "LSBENCH_PARENT"
ROOT = os.path.dirname(os.path.dirname(__file__))
STREAMS = (0, 1, 2)


def fixed_variables(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables that must be those of the server."""
    return {
        name: value
        for name, value in environment.items()
        if name not in READ_LATE and not name.startswith(READ_LATE_PREFIXES)
    }


def may_fork(environment: dict[str, str], variables: dict[str, str]) -> bool:
    """Return whether a program would find imported what it would import itself.

    Args:
        environment: The program's.
        variables: The server's own, but for those that are read late.
    """
    if PARENT in environment or fixed_variables(environment) != variables:
        return False
    folders = {*environment.get("PYTHONPATH", "").split(os.pathsep)} - {"", ROOT}
    return not any(os.path.exists(os.path.join(folder, "lsbench")) for folder in folders)


def run_client(path: str, python: str, variables: dict[str, str], words: list[str]) -> int:
    """Have a command run by the server at `path`; return its status as the system tells it.

    Args:
        path: The server's socket.
        python: The interpreter that takes what the server cannot.
        variables: The server's own, but for those that are read late.
        words: Arguments of Python: ``-P -m MODULE`` or ``-P -c CODE``, and those of the program.
    """
    can_fork = words[:2] in (["-P", "-m"], ["-P", "-c"]) and may_fork(dict(os.environ), variables)
    try:
        for stream in STREAMS:
            os.fstat(stream)
        request = {"words": words[1:], "env": dict(os.environ), "folder": os.getcwd()}
    except OSError:  # a stream is closed, or the folder is gone
        can_fork = False
    if not can_fork:
        os.execv(python, [python, *words])
    text = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.connect(path)
        socket.send_fds(server, [len(text).to_bytes(8, "big")], STREAMS)
        server.sendall(text)
        status = server.recv(8)
    if not status:
        sys.exit(f"the server of forked commands is gone: {path}")
    return int.from_bytes(status, "big")


def leave(status: int) -> None:
    """End as another process did."""
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGKILL:
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))
