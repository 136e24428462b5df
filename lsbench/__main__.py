"""The entry point of the command line: ``lsbench`` and ``python -m lsbench``."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from typing import NoReturn

#: As :class:`lsbench.core.errors.ExitCode`, which may be what cannot be imported.
CRASHED, INTERRUPTED = 70, 130


def main() -> NoReturn:
    """Run the command line and exit; a broken installation is one line on stderr, too."""
    try:
        from lsbench.cli.main import main as run
    except BaseException as error:  # noqa: BLE001 - whatever it is, Python's own exit code 1 means a regression
        _leave(error)
    try:
        run()
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - as above
        _leave(error)


def _leave(error: BaseException) -> NoReturn:
    with contextlib.suppress(Exception):
        if "--traceback" in sys.argv:
            traceback.print_exception(error)
        text = " ".join(f"{type(error).__name__}: {error}".split())
        is_interrupted = isinstance(error, KeyboardInterrupt)
        print(f"lsbench: {'interrupted' if is_interrupted else f'cannot run: {text}'}", file=sys.stderr)
        sys.stderr.flush()
    os._exit(INTERRUPTED if isinstance(error, KeyboardInterrupt) else CRASHED)


if __name__ == "__main__":
    main()
