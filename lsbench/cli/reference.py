"""Keep finished results as the reference of their suite: for lsbench's repository only.

``python -m lsbench.cli.reference results/ablations/default`` writes ``results/reference/ablations/default``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lsbench.core.errors import LsbenchError, UsageError
from lsbench.core.quantity import from_bytes
from lsbench.store.reference import SHIPPED, keep_reference
from lsbench.store.results import MANIFEST, ResultsFolder


def main(words: Sequence[str]) -> str:
    """Do it and return the line to print.

    Raises:
        UsageError: If no results folder of one preset is named.
        NothingMeasuredError: If a job of it is not done.
    """
    if len(words) != 1 or not Path(words[0], MANIFEST).is_file():
        raise UsageError(f"expected one results folder of a preset, with a {MANIFEST} in it")
    folder = ResultsFolder(Path(words[0]).absolute())
    suite, preset = folder.names
    target = SHIPPED[-1] / suite / preset
    return f"{target}: {from_bytes(keep_reference(folder, target))}"


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except LsbenchError as error:
        sys.exit(str(error))
