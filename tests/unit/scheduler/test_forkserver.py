"""The fork server's own rules; its work is shown in test_supervisor.py."""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from lsbench.core.forking import SOCKET, send_line
from lsbench.core.waits import announce
from lsbench.scheduler import forkserver
from lsbench.scheduler.forkserver import run_request


@pytest.fixture
def folder() -> Path:
    """A short path: a socket's is limited to 107 bytes."""
    return Path(tempfile.mkdtemp(prefix="lsb"))


def test_it_is_wanted_while_the_watched_process_lives(folder: Path) -> None:
    watched = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    server = forkserver.ForkServer(folder, watched.pid)
    try:
        assert server._is_wanted()
        watched.kill()
        watched.wait()
        assert not server._is_wanted()
    finally:
        server.listener.close()
        shutil.rmtree(folder)


def test_it_is_not_wanted_after_idle_time(folder: Path) -> None:
    server = forkserver.ForkServer(folder, 1)
    try:
        server.last_used -= forkserver.IDLE_S + 1
        assert not server._is_wanted()
        server.children[0] = server.wake_read
        assert server._is_wanted()
    finally:
        server.listener.close()
        shutil.rmtree(folder)


@pytest.mark.parametrize("is_followed", [False, True])
def test_only_a_server_that_is_still_reached_removes_its_folder(
    folder: Path, is_followed: bool, monkeypatch
) -> None:
    """The worker that started a server may be killed meanwhile; the next one starts another server."""
    followers = []

    def serve(server: forkserver.ForkServer) -> None:
        assert server._is_wanted()
        if is_followed:
            followers.append(forkserver.ForkServer(folder, 1))
        assert server._is_wanted() is not is_followed

    monkeypatch.setattr(forkserver, "_preload", lambda folder: None)
    monkeypatch.setattr(forkserver, "settle_home", lambda: None)
    monkeypatch.setattr(forkserver.ForkServer, "serve", serve)
    monkeypatch.setattr(sys, "argv", ["forkserver", str(folder), "1"])
    forkserver.main()
    gc.unfreeze()  # this process goes on
    assert folder.exists() is is_followed
    for server in followers:
        assert server.has_socket()
        server.listener.close()
        shutil.rmtree(folder)


def test_the_socket_is_private(folder: Path) -> None:
    server = forkserver.ForkServer(folder, 1)
    server.listener.close()
    assert (folder / SOCKET).stat().st_mode & 0o077 == 0
    shutil.rmtree(folder)


def test_the_preloaded_modules_run_no_operation() -> None:
    """A thread pool made before the fork would be dead in the children."""
    code = (
        "import os, threading\n"
        "from pathlib import Path\n"
        "from lsbench.scheduler.forkserver import _preload\n"
        "_preload(Path('/tmp'))\n"
        "import torch\n"
        "print(threading.active_count(), len(os.listdir('/proc/self/task')), torch.cuda.is_initialized())\n"
    )
    env = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1", "False"]


def test_a_collection_in_a_fork_passes_by_what_the_server_has_imported(folder: Path, monkeypatch) -> None:
    """It would copy the memory that they share, before each timing and again and again in each training."""
    made, seen = [], []

    def serve(server: forkserver.ForkServer) -> None:
        kept = {id(one) for one in gc.get_objects()}
        seen.append((gc.isenabled(), id(made[0]) in kept))

    monkeypatch.setattr(forkserver, "_preload", lambda folder: made.append({"imported": [folder]}))
    monkeypatch.setattr(forkserver, "settle_home", lambda: None)
    monkeypatch.setattr(forkserver.ForkServer, "serve", serve)
    monkeypatch.setattr(sys, "argv", ["forkserver", str(folder), "1"])
    forkserver.main()
    gc.unfreeze()  # this process goes on
    assert seen == [(True, False)]


def test_temporary_files_of_imports_go_with_the_folder_of_the_server(tmp_path, monkeypatch) -> None:
    module = "import tempfile\nkept = tempfile.TemporaryDirectory()\n"
    (tmp_path / "leaves_something.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(forkserver, "PRELOAD", ("leaves_something", "lsbench.core.ids"))
    monkeypatch.setattr(forkserver, "PLUGINS", ())
    (tmp_path / "server").mkdir()
    forkserver._preload(tmp_path / "server")
    assert len(list((tmp_path / "server").iterdir())) == 1
    assert tempfile.gettempdir() != str(tmp_path / "server")
    sys.modules.pop("leaves_something").kept.cleanup()


def test_waits_of_a_job_are_events(monkeypatch) -> None:
    def act(request, emit) -> int:
        announce("writing images")
        return 3

    monkeypatch.setattr("lsbench.scheduler.child.act", act)
    here, there = socket.socketpair()
    with here, there:
        assert forkserver.run_request({}, there) == 3
        lines = here.recv(65536).splitlines()
    assert [json.loads(line)["ev"] for line in lines] == ["started", "wait"]
    assert json.loads(lines[1])["what"] == "writing images"


#: A fork server whose jobs leave a process behind, in a session of its own, and end.
LEAVES = """
import os, subprocess, sys
from pathlib import Path
from lsbench.scheduler import child
from lsbench.scheduler.forkserver import ForkServer

def act(request, emit):
    shell = ["sh", "-c", "setsid sleep 600 >/dev/null & echo $!"]
    told = subprocess.run(shell, stdout=subprocess.PIPE, text=True)
    if request["kills_itself"]:
        emit({"ev": "left", "pid": int(told.stdout)})
        os.kill(os.getpid(), 9)
    own = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)
    emit({"ev": "left", "pid": int(told.stdout), "own": own.pid})
    return 0

child.act = act
ForkServer(Path(sys.argv[1]), os.getppid()).serve()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who adopts orphans")
@pytest.mark.parametrize("kills_itself", [False, True])
def test_processes_that_a_job_leaves_in_the_background_end_with_it(folder: Path, kills_itself: bool) -> None:
    server = subprocess.Popen([sys.executable, "-c", LEAVES, str(folder)])
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            while server.poll() is None:
                with contextlib.suppress(OSError):
                    connection.connect(str(folder / SOCKET))
                    break
            send_line(connection, {"kills_itself": kills_itself})
            with connection.makefile() as lines:
                events = {event["ev"]: event for event in map(json.loads, lines)}
        assert events["exit"]["code"] == (-9 if kills_itself else 0)
        left = [events["left"][name] for name in ("pid", "own") if name in events["left"]]
        assert len(left) == 2 - kills_itself
        assert not any(psutil.pid_exists(pid) for pid in left)
        assert server.poll() is None
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT])
def test_the_log_of_a_job_that_a_fault_ends_says_where(number: int, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    code = (
        "import os; from lsbench.scheduler.forkserver import _redirect\n"
        f"def broken_kernel(): os.kill(os.getpid(), {int(number)})\n"
        f"_redirect({str(log)!r}); broken_kernel()"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert ended.returncode == -number
    assert re.search(r"^Fatal Python error: .*^  File .* in broken_kernel$", log.read_text(), re.M | re.S)


@pytest.mark.parametrize(
    ("number", "error_class"), [(errno.ENOSPC, "disk_full"), (errno.EACCES, "PermissionError")]
)
def test_a_job_whose_log_cannot_be_written_says_why(monkeypatch, tmp_path, number, error_class):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.mkdir", fail)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert run_request({"action": "job", "log": str(tmp_path / "job/log.txt")}, theirs) == 1
        error = json.loads(ours.recv(4096))
    assert (error["ev"], error["error_class"]) == ("error", error_class)


def test_the_log_of_a_job_says_what_ended_it_before_it_began(folder: Path, tmp_path: Path) -> None:
    """As code that is edited while a run goes on."""
    log = tmp_path / "log.txt"
    code = (
        "import socket; from pathlib import Path; from lsbench.scheduler.forkserver import ForkServer\n"
        f"server, (connection, _) = ForkServer(Path({str(folder)!r}), 1), socket.socketpair()\n"
        f"server._become_child(connection, {{'log': {str(log)!r}, 'env': 5}}, [])"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert ended.returncode == 70
    assert log.read_text().splitlines()[-1].startswith("TypeError")
