"""The file ``classes.txt`` of numbered shards: one class name per line, from number 0."""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import Path

from lsbench.core.errors import DataError
from lsbench.core.plain_text import shown
from lsbench.data.readers._links import require_reachable

CLASS_LIST = "classes.txt"
"""Its name below the root of the data set."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # starts as UTF-16's mark does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode_text(content: bytes) -> str:
    r"""Return a text that any editor saved as UTF-8, UTF-16 or UTF-32, without the mark of its encoding.

    >>> decode_text("é".encode("utf-16")), decode_text(b"a\n")
    ('é', 'a\n')

    Raises:
        UnicodeDecodeError: If it is none of them.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding)
    if b"\0" in content:  # a line end, at least, has a zero byte in UTF-16
        is_little = content[1::2].count(0) >= content[::2].count(0)
        return content.decode("utf-16-le" if is_little else "utf-16-be")
    return content.decode("utf-8")


def read_class_list(root: Path) -> tuple[str, ...] | None:
    """Return the class names by number, or None if the data set has no such file.

    Line ends of any system are known, blanks around names and empty lines at the end do not count.

    Raises:
        DataError: If a line is empty, a comment, or names a class again; says which.
    """
    path = root / CLASS_LIST
    require_reachable(path)
    if not path.is_file():
        return None
    try:
        text = decode_text(path.read_bytes())
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected a text in UTF-8, found: {error}; save it as UTF-8") from error
    names = [line.strip() for line in re.split(r"\r\n|\r|\n", text.rstrip())]
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        same = first.setdefault(unicodedata.normalize("NFC", name), number)
        if problem := _problem(name, None if same == number else same):
            raise DataError(
                f"{path}:{number + 1}: expected the name of class {number}, found {problem}; write one name "
                "per line, from class 0 on, and nothing else"
            )
    return tuple(names)


def _problem(name: str, same: int | None) -> str | None:
    """Return why a line is not the name of a class, or None; `same` is an earlier class of this name."""
    if not name:
        return "an empty line"
    if name.startswith("#"):
        return f"a comment ({shown(name)})"
    return None if same is None else f"'{shown(name)}' again, which is class {same} in line {same + 1}"
