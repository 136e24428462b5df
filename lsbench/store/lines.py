"""Read journals: append-only files of JSON lines, each with a checksum."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from lsbench.core.atomic import atomic_write
from lsbench.core.checked_lines import check_lines
from lsbench.core.errors import StoreError

BLOCK = 2**23
#: Returns the values of lines without their checksums, or None if any is damaged.
Parser = Callable[[list[bytes]], list[dict[str, Any]] | None]
WRONG = "damaged line not used (wrong checksum); `lsbench run` restores results from the job folders"


@dataclass(frozen=True)
class Lines:
    """A block of consecutive lines of a journal.

    Attributes:
        path: The journal.
        start: Offset of the block in bytes.
        content: The bytes of the lines, line ends included.
        values: The parsed lines.
        wrong: Numbers, from 0, of the lines of the block that do not match their checksums and have no value.
    """

    path: Path
    start: int
    content: bytes
    values: list[dict[str, Any]]
    wrong: list[int] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Offset of the end of the block in bytes."""
        return self.start + len(self.content)

    def place(self, index: int) -> str:
        """Return file and line number of a value."""
        for wrong in self.wrong:
            index += wrong <= index
        return f"{self.path}:{_number(self.path, self.start) + index}"


def read_lines(path: Path, *, warn: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return the JSON lines of a journal; an absent file has none.

    A torn last line (a crash in the middle of a write) and lines that do not match their checksums are left
    out with a warning.

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
        warn: Receives a message for each line that is left out.
        start: Offset in bytes at which to start; it must be the end of a line.
        block: Bytes to read at a time.
        parse: Default: :func:`parsed`.

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
        lines, wrong = check_lines(content.split(b"\n"))
        values = parse(lines)
        if values is not None:
            yield _warned(Lines(path, start, content, values, wrong), warn)
            start += len(content)
            continue
        values, wrong, bad, reason = _parsed_up_to_damage(content)
        if content[bad:].partition(b"\n")[2].strip() or rest or file.read(1):
            raise StoreError(
                f"{path}:{_number(path, start + bad)}: damaged line ({reason}); restore it from a copy, or "
                "remove the file: it is rebuilt from the job folders at the next run"
            )
        yield _warned(Lines(path, start, content[:bad], values, wrong), warn)
        start, rest = start + bad, content[bad:]
    if rest:
        warn(f"{path}:{_number(path, start)}: torn last line dropped")


def remove_wrong_lines(path: Path) -> None:
    """Rewrite a journal without the lines that do not match their checksums; its only writer may do so."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    _, wrong = check_lines(lines)
    if wrong:
        with atomic_write(path) as file:
            file.write(b"\n".join(line for number, line in enumerate(lines) if number not in set(wrong)))


def _warned(lines: Lines, warn: Callable[[str], None]) -> Lines:
    """Return `lines` after a warning for each line that does not match its checksum."""
    first = _number(lines.path, lines.start) if lines.wrong else 0
    for wrong in lines.wrong:
        warn(f"{lines.path}:{first + wrong}: {WRONG}")
    return lines


def parsed(lines: list[bytes]) -> list[dict[str, Any]] | None:
    """Return the values of lines, or None if any is damaged; faster than line by line."""
    try:
        values = json.loads(b"[" + b",".join(lines) + b"]", parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return None
    is_sound = len(values) == len(lines) and all(type(value) is dict for value in values)
    return values if is_sound else None


class NotANumberError(ValueError):
    """A file has NaN or an infinity in place of a number."""


def refuse_constant(name: str) -> float:
    """Raise an error: NaN and infinities are no JSON, and no number of a result."""
    raise NotANumberError(f"{name}, which is no number")


def _parsed_up_to_damage(content: bytes) -> tuple[list[dict[str, Any]], list[int], int, str]:
    """Return what is before the first damaged line: values, wrong lines, length in bytes; and the damage."""
    values: list[dict[str, Any]] = []
    wrong: list[int] = []
    start = 0
    for number, line in enumerate(content.split(b"\n")[:-1]):
        checked, is_wrong = check_lines([line])
        try:
            for one in checked:
                value = json.loads(one, parse_constant=refuse_constant)
                if not isinstance(value, dict):
                    raise ValueError("not a mapping")
                values.append(value)
        except (ValueError, RecursionError) as error:
            return values, wrong, start, str(error)
        wrong += [number] if is_wrong else []
        start += len(line) + 1
    return values, wrong, start, "lines run into one another"


def _number(path: Path, start: int) -> int:
    """Return the number, from 1, of the line that begins at offset `start`."""
    with path.open("rb") as file:
        return file.read(start).count(b"\n") + 1
