"""Where a verb writes to: stdout or the file of an option, and the format that fits it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lsbench.core.errors import UsageError

STDOUT = "-"
#: Any text format may be asked for in a file that says no more than that it is text.
PLAIN = ".txt"
#: The suffixes of the formats that several verbs write.
SUFFIXES: dict[str, tuple[str, ...]] = {
    "console": (PLAIN,),
    "markdown": (".md", ".markdown"),
    "json": (".json",),
    "junit": (".xml",),
}

OutputOpt = Annotated[
    str,
    typer.Option("-o", "--output", metavar="FILE", help="Output file; - is stdout. Its suffix is a format."),
]


@dataclass(frozen=True)
class Output:
    """The destination that an option names.

    Attributes:
        asked: The words of the user; ``-`` is stdout.
        flag: The option, for messages.
    """

    asked: str
    flag: str = "-o"

    @property
    def is_stdout(self) -> bool:
        """True if it is the stdout of this process, by whatever name."""
        from lsbench.core.destination import descriptor_of

        return self.asked == STDOUT or descriptor_of(Path(self.asked)) == 1

    def check(self) -> None:
        """Check it before any work is done.

        Raises:
            UsageError: If it cannot be written.
        """
        from lsbench.core.destination import check_target

        if self.is_stdout:
            return
        if self.asked.endswith("/"):
            raise UsageError(f"{self.flag} {self.asked}: cannot be written (Is a directory)")
        refuse_address(self.asked, self.flag)
        try:
            check_target(Path(self.asked))
        except (OSError, ValueError) as error:
            raise self._error(error) from error

    def write(self, content: str | bytes, *, what: str = "") -> None:
        """Write the output of a verb; of a file, say so on stderr.

        Args:
            content: The whole output.
            what: What was written, for the message, e.g. its format.

        Raises:
            UsageError: If it cannot be written; the message names the option.
        """
        from lsbench.core.destination import is_file_to_be, write_to

        if isinstance(content, bytes) and self.is_stdout and sys.stdout.isatty():
            raise UsageError(f"{what} is binary and cannot be shown on a terminal; name a file with -o FILE")
        if self.is_stdout:
            _print(content)
            return
        path = Path(self.asked)
        is_file = is_file_to_be(path)
        try:
            write_to(path, content.encode(errors="replace") if isinstance(content, str) else content)
        except (OSError, ValueError) as error:
            raise self._error(error) from error
        if is_file:
            typer.echo(f"{self.asked}: written{f' ({what})' if what else ''}", err=True)

    def choose_format(self, asked: str | None, suffixes: Callable[[], Mapping[str, Sequence[str]]]) -> str:
        """Return the format to write: the one asked for, else that of the suffix, else ``console``.

        Args:
            asked: The value of ``--format``, or None.
            suffixes: Returns format -> the suffixes of its files, with the dot.

        Raises:
            UsageError: If the suffix is that of another format, or of none.
        """
        from lsbench.core.destination import is_file_to_be

        path = Path(self.asked)
        suffix = path.suffix.lower()
        if self.is_stdout or not suffix or not is_file_to_be(path):
            return asked or "console"
        known = suffixes()
        owners = [name for name, ends in known.items() if suffix in ends]
        where = f"{self.flag} {self.asked}"
        if asked is None and not owners:
            every = ", ".join(end for ends in known.values() for end in ends)
            raise UsageError(f"{where}: no format has the suffix {suffix}; use one of {every}, or --format")
        if asked is None:
            return owners[0]
        if owners and asked not in owners and suffix != PLAIN:
            name = path.with_suffix(known.get(asked, ("",))[0]).name
            raise UsageError(
                f"{where}: {suffix} is the suffix of {owners[0]}, and --format is {asked}; "
                f"name the file {name}, or leave --format out"
            )
        return asked

    def _error(self, error: OSError | ValueError) -> UsageError:
        reason = error.strerror if isinstance(error, OSError) else None
        return UsageError(f"{self.flag} {self.asked}: cannot be written ({reason or error})")


def refuse_address(asked: str | Path, flag: str) -> None:
    """Refuse an address where a file or folder of this machine is written; a path has lost one slash of it.

    Raises:
        UsageError: If it is an address.
    """
    protocol, is_address, _ = str(asked).partition(":/")
    if is_address and "/" not in protocol and not Path(f"{protocol}:").is_dir():
        raise UsageError(
            f"{flag} {asked}: is no file or folder of this machine; write here, then copy it there"
        )


def _print(content: str | bytes) -> None:
    if isinstance(content, str):
        typer.echo(content, nl=False)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.flush()
