"""Read journals: append-only files of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lsbench.core.errors import StoreError

BLOCK = 2**23
Parser = Callable[[bytes], list[dict[str, Any]] | None]


@dataclass(frozen=True)
class Lines:
    """A block of consecutive lines of a journal.

    Attributes:
        path: The journal.
        start: Offset of the block in bytes.
        content: The bytes of the lines, line ends included.
        values: The parsed lines.
    """

    path: Path
    start: int
    content: bytes
    values: list[dict[str, Any]]

    @property
    def end(self) -> int:
        """Offset of the end of the block in bytes."""
        return self.start + len(self.content)

    def place(self, index: int) -> str:
        """Return file and line number of a value."""
        return f"{self.path}:{_number(self.path, self.start) + index}"


def read_lines(path: Path, *, warn: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return the JSON lines of a journal; an absent file has none.

    A torn last line (a crash in the middle of a write) is dropped with a warning.

    Raises:
        StoreError: If a line before the last is damaged, or the file cannot be read.
    """
    return [value for lines in line_blocks(path, warn=warn) for value in lines.values]


def line_blocks(
    path: Path,
    *,
    warn: Callable[[str], None],
    start: int = 0,
    block: int = BLOCK,
    parse: Parser | None = None,
) -> Iterator[Lines]:
    """Yield the JSON lines of a journal in blocks, as :func:`read_lines` returns them.

    Args:
        path: The journal.
        warn: Receives a message if the last line is torn.
        start: Offset in bytes at which to start; it must be the end of a line.
        block: Bytes to read at a time.
        parse: Returns the values of complete lines, or None if any is damaged; default: :func:`parsed`.

    Raises:
        StoreError: If a line before the last is damaged, or the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from _blocks(path, file, warn, start, block, parse or parsed)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> StoreError:
    """Return the error for a file of the store that cannot be read."""
    return StoreError(f"{path}: cannot be read ({error.strerror or error}); check who owns it and its folder")


def _blocks(
    path: Path, file: BinaryIO, warn: Callable[[str], None], start: int, block: int, parse: Parser
) -> Iterator[Lines]:
    file.seek(start)
    rest = b""
    while read := file.read(block):
        content, mark, rest = (rest + read).rpartition(b"\n")
        content += mark
        whole = parse(content)
        if whole is not None:
            yield Lines(path, start, content, whole)
            start += len(content)
            continue
        values, bad, reason = _parsed_up_to_damage(content)
        if content[bad:].partition(b"\n")[2].strip() or rest or file.read(1):
            raise StoreError(
                f"{path}:{_number(path, start + bad)}: damaged line ({reason}); restore it from a copy, or "
                "remove the file: it is rebuilt from the job folders at the next run"
            )
        yield Lines(path, start, content[:bad], values)
        start, rest = start + bad, content[bad:]
    if rest:
        warn(f"{path}:{_number(path, start)}: torn last line dropped")


def parsed(content: bytes) -> list[dict[str, Any]] | None:
    """Return the values of complete lines, or None if any is damaged; faster than line by line."""
    lines = [line for line in content.split(b"\n") if line]
    try:
        values = json.loads(b"[" + b",".join(lines) + b"]")
    except ValueError:
        return None
    is_sound = len(values) == len(lines) and all(type(value) is dict for value in values)
    return values if is_sound else None


def _parsed_up_to_damage(content: bytes) -> tuple[list[dict[str, Any]], int, str]:
    """Return the values before the first damaged line, their length in bytes, and the damage."""
    values: list[dict[str, Any]] = []
    start = 0
    for line in content.split(b"\n")[:-1]:
        try:
            value = json.loads(line) if line else {}
            if not isinstance(value, dict):
                raise ValueError("not a mapping")
        except ValueError as error:
            return values, start, str(error)
        values += [value] if line else []
        start += len(line) + 1
    return values, start, "lines run into one another"


def _number(path: Path, start: int) -> int:
    """Return the number, from 1, of the line that begins at offset `start`."""
    with path.open("rb") as file:
        return file.read(start).count(b"\n") + 1
