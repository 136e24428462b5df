"""The folder for everything that can be made again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from lsbench.core.errors import DataError


def cache_root() -> Path:
    """Return the cache folder, created if needed.

    It is ``$LSBENCH_CACHE``, else ``~/.cache/lsbench``, else a per-user folder for temporary files
    where the home folder cannot be written (containers, some clusters).

    Raises:
        DataError: If ``$LSBENCH_CACHE`` is set and cannot be written.
    """
    chosen = os.environ.get("LSBENCH_CACHE")
    if chosen:
        root = Path(chosen).expanduser()
        if not _is_writable(root):
            raise DataError(
                f"expected a writable folder in LSBENCH_CACHE, found {root}; "
                "set it to a folder that this user can write, or unset it"
            )
        return root
    home = Path("~/.cache/lsbench").expanduser()
    if _is_writable(home):
        return home
    fallback = Path(tempfile.gettempdir()) / f"lsbench-{os.getuid()}"
    fallback.mkdir(mode=0o700, exist_ok=True)
    if fallback.stat().st_uid != os.getuid():
        raise DataError(f"{fallback} belongs to another user; set LSBENCH_CACHE to a folder that you own")
    return fallback


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
