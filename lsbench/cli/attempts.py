"""Try what takes long, or may end the process, in a process of its own.

It is started as ``python -m lsbench.cli.attempts NAME ...``. Each name is a package that is imported, or
``loops``. What comes of it goes to stdout, one JSON line each: the name, whether it went well, and a text.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

LOOPS = "loops"


@dataclass(frozen=True)
class Attempt:
    """What came of one attempt: whether it went well, and the folder of the loops, or the error."""

    is_good: bool
    text: str


def attempt(name: str) -> Attempt:
    """Import a package, or compile a loop, here; no error is raised."""
    try:
        if name == LOOPS:
            from lsbench.core.loops import try_loops

            return Attempt(True, str(try_loops()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken package may raise anything
        kind = "" if name == LOOPS else f"{type(error).__name__}: "
        return Attempt(False, kind + " ".join(str(error).split()))
    return Attempt(True, "")


class Attempts:
    """A process that tries some things, one after another, while others are done here."""

    def __init__(self, process: subprocess.Popen[str], names: Sequence[str]) -> None:
        """Take a process that was started for these names."""
        self._process, self._names = process, names

    def ended(self) -> dict[str, Attempt]:
        """Wait for the end, and return what came of each name; one that ended the process has failed."""
        found: dict[str, Attempt] = {}
        for line in self._process.communicate()[0].splitlines():
            try:
                name, is_good, text = json.loads(line)
            except (TypeError, ValueError):
                continue  # a package that prints
            found[name] = Attempt(is_good, text)
        how = f"the process ended with status {self._process.returncode}"
        return {name: found.get(name, Attempt(False, how)) for name in self._names}


@contextmanager
def attempts(names: Sequence[str]) -> Iterator[Attempts]:
    """Start to try these names in a process that ends with the block."""
    # -P keeps the working folder off the path, where a checkout would hide the installed code.
    command = [sys.executable, "-P", "-m", "lsbench.cli.attempts", *names]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **streams) as process:  # type: ignore[call-overload]  # noqa: S603
        try:
            yield Attempts(process, names)
        finally:
            process.kill()


def main() -> None:
    """Try what is named on the command line."""
    for name in sys.argv[1:]:
        found = attempt(name)
        print(json.dumps([name, found.is_good, found.text]), flush=True)
    sys.stdout.flush()
    os._exit(0)  # the ends of packages are not what is tried, and take time


if __name__ == "__main__":
    main()
