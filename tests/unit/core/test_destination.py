import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lsbench.core import destination
from lsbench.core.destination import check_target, descriptor_of, is_file_to_be, write_to


def test_a_new_file_and_its_folders_are_made(tmp_path):
    file = tmp_path / "deep" / "deeper" / "file"
    write_to(file, b"new")
    assert file.read_bytes() == b"new"
    assert [path.name for path in file.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("how", ["absolute", "relative", "twice", "dangling"])
def test_a_link_keeps_its_target(how, tmp_path):
    target, link = tmp_path / "real" / "target", tmp_path / "link"
    target.parent.mkdir()
    if how != "dangling":
        target.write_bytes(b"old")
    if how == "twice":
        (tmp_path / "between").symlink_to("real/target")
    link.symlink_to({"relative": "real/target", "twice": "between"}.get(how, target))
    write_to(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert not target.is_symlink()


def test_an_old_file_keeps_its_permissions(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o600)
    write_to(file, b"new")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new", 0o600)


def test_a_file_whose_place_is_fixed_is_rewritten(tmp_path, monkeypatch):
    """As a file that is mounted by itself: nothing can be renamed to it."""
    file = tmp_path / "file"
    file.write_bytes(b"old and longer")

    def busy(*_):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    write_to(file, b"new")
    assert file.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def full(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="Input/output"):
        write_to(file, b"new")
    assert file.read_bytes() == b"old"


def test_a_file_that_may_not_be_written_stays(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who may do everything
    for act in (lambda: check_target(file), lambda: write_to(file, b"new")):
        with pytest.raises(PermissionError):
            act()
    assert file.read_bytes() == b"old"
    with pytest.raises(PermissionError):
        check_target(tmp_path / "new" / "file")


def test_a_device_and_a_fifo_stay_what_they_are(tmp_path):
    fifo, got = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    write_to(fifo, b"x" * 200_000)
    reader.join(30)
    assert got == [b"x" * 200_000]
    assert stat.S_ISFIFO(fifo.lstat().st_mode)
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    write_to(link, b"gone")
    assert stat.S_ISCHR(link.stat().st_mode)
    assert not is_file_to_be(link)
    with pytest.raises(OSError, match="No space left"):
        write_to(Path("/dev/full"), b"x")


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: fifo.open("rb").close())
    reader.start()
    write_to(fifo, b"x" * 2_000_000)
    reader.join(30)


def test_a_descriptor_is_written_where_it_stands(tmp_path):
    with (tmp_path / "file").open("wb") as file:
        file.write(b"before ")
        file.flush()
        for name in ("/dev/fd", "/proc/self/fd", f"/proc/{os.getpid()}/fd"):
            assert descriptor_of(Path(name) / str(file.fileno())) == file.fileno()
            write_to(Path(name) / str(file.fileno()), b"x")
        file.write(b" after")
    assert (tmp_path / "file").read_bytes() == b"before xxx after"


def test_a_socket_is_written_through_its_descriptor():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        write_to(Path(f"/dev/fd/{ours.fileno()}"), b"text")
        assert theirs.recv(9) == b"text"


def test_no_descriptor_is_meant_by_other_names(tmp_path):
    (tmp_path / "1").touch()
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path in (tmp_path / "1", Path("/dev/null"), Path("1"), loop):
        assert descriptor_of(path) is None
    link = tmp_path / "out"
    link.symlink_to("/dev/stdout")
    assert descriptor_of(link) == 1
    with pytest.raises(OSError, match="levels of symbolic links"):
        write_to(loop, b"x")
    with pytest.raises(OSError, match="Bad file descriptor"):
        write_to(Path("/dev/fd/987"), b"x")


def test_what_can_be_known_before_is_told_before(tmp_path):
    (tmp_path / "file").touch()
    check_target(tmp_path / "file")
    check_target(tmp_path / "new" / "file")
    check_target(Path("/dev/stdout"))
    with pytest.raises(IsADirectoryError):
        check_target(tmp_path)
    with pytest.raises(NotADirectoryError):
        check_target(tmp_path / "file" / "below")


def test_bash_reads_what_is_written_to_a_process_substitution(tmp_path):
    code = "import sys; from pathlib import Path; from lsbench.core.destination import write_to; "
    code += "write_to(Path(sys.argv[1]), b'text')"
    command = f'"$0" -c "$1" >(cat > {tmp_path}/out) && "$0" -c "$1" /dev/stdout; wait'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, code], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"text", b"")
    assert (tmp_path / "out").read_bytes() == b"text"
    assert destination.MAX_LINKS == 40
