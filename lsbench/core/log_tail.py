"""The last lines of a log."""

from __future__ import annotations

import os
from pathlib import Path

#: They are looked for in so many bytes.
TAIL_BYTES = 2**16


def tail(path: Path, *, lines: int = 40) -> str:
    """Return the last lines of a log, or an empty string; of a large one only the end is read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            content = file.read(TAIL_BYTES)
    except OSError:
        return ""
    return "\n".join(content.decode(errors="replace").splitlines()[-lines:])
