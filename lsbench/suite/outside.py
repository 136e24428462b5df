"""Check the outside mixers and models that a suite names, in a separate process, as they import torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lsbench.core.catalog import outside_family_models
from lsbench.core.errors import PluginError
from lsbench.core.registry import MIXERS, MODELS
from lsbench.suite.schema import Suite

COMMAND = (sys.executable, "-P", "-m", "lsbench.models.outside")
"""-P keeps the working folder off the path: a checkout in it would hide the installed code."""


def torch_plugins(suites: Iterable[Suite]) -> list[str]:
    """Return the outside mixers and models that suites name, as ``mixer=NAME`` or ``model=NAME``.

    Models named by jobs, such as a teacher or a control, are included.
    """
    models = {*MODELS.outside_names(), *outside_family_models()}
    known = {
        **{name: f"mixer={name}" for name in MIXERS.outside_names()},
        **{n: f"model={n}" for n in models},
    }
    if not known:
        return []
    words = (word for suite in suites for word in _words(suite.model_dump(mode="json")))
    return sorted({known[word] for word in words if word in known})


def check_torch_plugins(suites: Sequence[Suite], *, command: Sequence[str] = COMMAND) -> None:
    """Import the outside mixers and models that suites name, in a separate process.

    If there are none, no process is started.

    Raises:
        PluginError: With one line for each that cannot be imported or breaks the contract of its kind.
    """
    plugins = torch_plugins(suites)
    if not plugins:
        return
    done = subprocess.run([*command, *plugins], capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PluginError(
            f"importing {', '.join(plugins)} ended the process with status {done.returncode}: {last}"
        )
    problems = json.loads(lines[-1])
    if problems:
        raise PluginError(problems)


def _words(value: Any) -> Iterator[str]:
    """Yield every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _words(part)
