"""Links that lead nowhere: an error that names them, where a missing file would only be missed."""

from __future__ import annotations

import os
from pathlib import Path

from lsbench.core.errors import DataError


def require_reachable(path: str | os.PathLike[str]) -> None:
    """Do nothing if a path is no link, or a link to what exists; it may also be missing.

    Raises:
        DataError: If it is a link to what does not exist, or leads in a circle.
    """
    if os.path.islink(path) and not os.path.exists(path):
        raise DataError(
            f"expected what the link {Path(path)} leads to ({os.readlink(path)}), found nothing there; mend "
            "the link or remove it"
        )
