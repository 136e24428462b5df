"""The streams of the command line, on descriptors of this test and in processes of their own."""

import codecs
import errno
import fcntl
import io
import os
import pty
import signal
import subprocess
import sys
import threading

import pytest

from lsbench.cli.streams import NEAREST, EnduringOutput, nearest

PROTECTED = "from lsbench.cli.streams import *; out = protect_streams(); import sys, os, signal; "


def python(code, **options):
    """Run code with protected streams in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", PROTECTED + code], timeout=60, check=False, text=True, **options
    )


@pytest.fixture
def pipe():
    """The reading and the writing end of a pipe."""
    source, target = os.pipe()
    with open(source, "rb", buffering=0) as reader, open(target, "wb", buffering=0) as writer:
        yield reader, writer


def test_a_gone_reader_is_no_loss_and_the_rest_is_dropped(pipe):
    stream = EnduringOutput(pipe[1].fileno())
    assert stream.write(b"read ") == 5
    assert pipe[0].read(9) == b"read "
    pipe[0].close()
    assert [stream.write(b"lost"), stream.write(memoryview(b"lost"))] == [4, 4]
    assert stream.error.errno == errno.EPIPE
    assert stream.loss is None


def test_a_full_disk_is_a_loss():
    with open("/dev/full", "wb") as full:
        stream = EnduringOutput(full.fileno())
        text = io.TextIOWrapper(io.BufferedWriter(stream))
        text.write("x" * 100_000)
        text.close()
    assert stream.loss == "No space left on device"


def test_a_vanished_terminal_is_no_loss():
    ours, theirs = pty.openpty()
    stream = EnduringOutput(theirs)
    assert stream.isatty()
    os.close(ours)
    assert stream.write(b"nobody sees it") == 14
    assert (stream.error.errno, stream.loss) == (errno.EIO, None)
    os.close(theirs)


def test_a_pipe_that_another_program_made_non_blocking_loses_nothing(pipe):
    fcntl.fcntl(pipe[1], fcntl.F_SETFL, os.O_NONBLOCK)
    text, got = b"0123456789" * 50_000, []

    def read():
        while sum(map(len, got)) < len(text):
            got.append(pipe[0].read(65536))

    reader = threading.Thread(target=read)
    reader.start()
    buffered = io.BufferedWriter(EnduringOutput(pipe[1].fileno()))
    buffered.write(text)
    buffered.flush()
    reader.join(30)
    assert b"".join(got) == text


def test_characters_that_an_encoding_lacks_get_their_nearest():
    codecs.register_error(NEAREST, nearest)
    assert "│ a → é ┼".encode("ascii", NEAREST) == b"| a ? ? +"
    assert "file \udcff".encode("utf-8", NEAREST) == b"file \xff"
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", NEAREST)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "utf-8"])
def test_printing_never_fails_for_its_characters(encoding):
    done = python(
        "print('┏┓ ä'); sys.exit(7)",
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": f"{encoding}:strict"},
        errors="replace",
    )
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.startswith("┏┓" if encoding == "utf-8" else "++")


def test_python_itself_ends_with_the_code_of_the_work():
    with open("/dev/full", "w") as full:
        done = python("print('x' * 99999); sys.exit(3)", stdout=full, stderr=subprocess.PIPE)
        assert (done.returncode, done.stderr) == (3, "")
        done = python("print('x', file=sys.stderr, flush=True); sys.exit(3)", stderr=full)
        assert done.returncode == 3


def test_closed_descriptors_are_opened_on_nothing_before_a_file_gets_their_number(tmp_path):
    code = (
        f"file = open({str(tmp_path / 'file')!r}, 'w'); print('text', flush=True); "
        "print('error', file=sys.stderr, flush=True); file.close(); sys.exit(4 if file.closed else 5)"
    )
    command = 'exec "$0" -c "$1" <&- >&- 2>&-'
    done = subprocess.run(["bash", "-c", command, sys.executable, PROTECTED + code], timeout=60, check=False)
    assert done.returncode == 4
    assert (tmp_path / "file").read_text() == ""


def test_a_closed_terminal_ends_only_what_has_nothing_better_to_do():
    code = "{} os.kill(os.getpid(), signal.SIGHUP); sys.exit(6)"
    assert python(code.format("")).returncode == -signal.SIGHUP
    assert python(code.format("outlive_terminal();")).returncode == 6
