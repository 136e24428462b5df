import errno
import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lsbench.core.errors import StoreError
from lsbench.core.lock import is_held, locked


def enter(path, **options):
    with locked(path, what="results folder x", **options):
        return True


def test_a_second_holder_is_told_who_the_first_is(tmp_path):
    path = tmp_path / "deep" / ".lock"
    owner = f"process {os.getpid()} on {socket.gethostname()}"
    with locked(path, what="it"):
        with pytest.raises(StoreError, match=f"folder x is in use by {owner}"):
            enter(path)
        assert path.exists()


def test_it_is_free_again_after_the_block_even_after_an_error(tmp_path):
    def fail():
        with locked(tmp_path / ".lock", what="it"):
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert enter(tmp_path / ".lock")


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / ".lock", tmp_path / "file" / "deep" / ".lock", tmp_path):
        with pytest.raises(
            StoreError, match=rf"folder x cannot be locked: {path} cannot be written \(.*\); "
        ):
            enter(path)


def test_a_full_disk_can_be_locked():
    assert enter(Path("/dev/full"))


def test_an_unreadable_owner_is_another_process(tmp_path):
    path = tmp_path / ".lock"
    with locked(path, what="it"):
        path.write_text("not json")
        with pytest.raises(StoreError, match="in use by another process"):
            enter(path)


def test_a_killed_holder_releases_it(tmp_path):
    path = tmp_path / ".lock"
    code = (
        "import sys, pathlib; from lsbench.core.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1]), what='it'):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=f"process {holder.pid} "):
            enter(path)
        holder.kill()
        holder.wait()
    assert enter(path)


def test_whether_it_is_held_can_be_asked_without_taking_or_making_it(tmp_path):
    path = tmp_path / ".lock"
    assert not is_held(path)
    assert not path.exists()
    with locked(path, what="it"):
        assert is_held(path)
    assert not is_held(path)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO])
def test_a_file_system_without_locks_is_told_in_one_line_with_what_to_do(tmp_path, monkeypatch, code):
    def flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StoreError, match=r"results folder x cannot be locked: .* --results DIR") as told:
        enter(tmp_path / ".lock")
    assert str(tmp_path) in str(told.value)
    assert os.strerror(code) in str(told.value)
    assert len(str(told.value).splitlines()) == 1
    assert not is_held(tmp_path / ".lock")
