"""Standard streams whose failures cannot end the work.

A reader that is gone, a full disk or a vanished terminal fails a write of any library, wherever it prints.
Below all of them stands one raw stream that remembers the first failure and drops what follows.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

STDOUT, STDERR = 1, 2
#: Name of the handler of characters that a stream's encoding lacks.
NEAREST = "lsbench.nearest"
#: Errors that say: nobody reads this any more.
NO_READER = (errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN)


class EnduringOutput(io.RawIOBase):
    """A raw stream into a descriptor; after a failed write it takes everything and writes nothing.

    Attributes:
        error: The failure of the first write that failed, or None.
    """

    def __init__(self, descriptor: int) -> None:
        """Write into an open descriptor, which stays open."""
        self._descriptor = descriptor
        self._is_terminal = os.isatty(descriptor)
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether it is a terminal that is still there."""
        return os.isatty(self._descriptor)

    def write(self, data: Buffer, /) -> int:
        """Write, or drop the data if a write has failed; return the number of bytes taken."""
        while self.error is None:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:  # another program made the pipe non-blocking
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes

    @property
    def loss(self) -> str | None:
        """The reason why text was lost that somebody may still want, or None."""
        if self.error is None or self.error.errno in NO_READER:
            return None
        if self._is_terminal and self.error.errno == errno.EIO:
            return None  # the terminal was closed
        return self.error.strerror or str(self.error)


def protect_streams() -> EnduringOutput:
    """Make stdout and stderr of this process endure; return the raw stream of stdout."""
    _open_missing()
    codecs.register_error(NEAREST, nearest)
    out, err = EnduringOutput(STDOUT), EnduringOutput(STDERR)
    sys.stdout = _text_stream(out, sys.stdout, errors=NEAREST)
    sys.stderr = _text_stream(err, sys.stderr, errors="backslashreplace")
    return out


def outlive_terminal() -> None:
    """Have this process, and those that it starts, go on when its terminal is closed."""
    with suppress(ValueError):  # outside of the main thread
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)


def flush_streams() -> None:
    """Write what stdout and stderr still hold."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()


def nearest(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return a replacement of characters that an encoding lacks, and the place to go on at.

    Undecodable bytes of file names come out as they went in, lines of tables become ASCII, the rest ``?``.

    >>> codecs.register_error(NEAREST, nearest)
    >>> "┏━┓ 5 µs → 4 µs".encode("latin-1", NEAREST).decode("latin-1")
    '+-+ 5 µs ? 4 µs'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    with suppress(UnicodeEncodeError):
        return codecs.lookup_error("surrogateescape")(error)
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(character: str) -> str:
    if character in "─━═":
        return "-"
    if character in "│┃║":
        return "|"
    return "+" if "\u2500" <= character <= "\u257f" else "?"


def _open_missing() -> None:
    """Open closed standard descriptors on nothing, so that no file of ours gets their number."""
    for descriptor in (0, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)


def _text_stream(raw: EnduringOutput, before: TextIO | None, *, errors: str) -> TextIO:
    """Return a text stream like the one before, on top of `raw`."""
    if before is not None:
        with suppress(OSError):
            before.flush()
        errors = errors if before.errors in (None, "strict", "surrogateescape") else before.errors
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(before, "encoding", None) or "utf-8",
        errors=errors,
        line_buffering=raw.isatty() or raw.fileno() == STDERR or getattr(before, "write_through", False),
    )
