"""The commit that is judged: that of the repository in which the gate runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from lsbench.core.env import repository_state
from lsbench.core.registry import PACKAGE_ROOT

#: Variables of GitHub and GitLab with the commit that a pipeline runs for.
VARIABLES = ("GITHUB_SHA", "CI_COMMIT_SHA")
#: Digits of a commit that are shown.
DIGITS = 12


def judged_commit(folder: Path | None = None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the commit of the repository around a folder as text, or None if it is unknown or lsbench's own.

    Args:
        folder: The folder; default: the working directory.
        environ: The environment, for pipelines without git.
    """
    root, commit, is_changed = repository_state(folder or Path.cwd())
    if root is not None and root == PACKAGE_ROOT.parent:
        return None  # the note on lsbench's own commit says it
    commit = commit or next((environ[name] for name in VARIABLES if environ.get(name)), None)
    if commit is None:
        return None
    where = f" of {root.name}" if root is not None else ""
    return f"{commit[:DIGITS]}{where}{' with changes' if is_changed else ''}"
