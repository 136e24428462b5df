"""Declare that a change of lsbench's own code leaves its numbers as they are: for its repository only.

``python -m lsbench.cli.same_numbers`` lists the files that compute numbers and whose code was changed,
``... same [FILE]...`` declares that they give the same numbers as before, ``... changed [FILE]...`` that they
give others. Without files, all such files are meant. It rewrites ``lsbench/core/same_numbers.json``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lsbench.core.errors import LsbenchError, UsageError
from lsbench.core.plugin_code import own_module_files
from lsbench.core.same_numbers import declare, read_groups, undeclared, write_groups

WORDS = ("same", "changed")


def main(words: Sequence[str]) -> list[str]:
    """Do what the words say and return the lines to print.

    Raises:
        UsageError: If a word or file is unknown.
    """
    groups, files = read_groups(), own_module_files()
    changed = undeclared(groups, files)
    if not words:
        return [f"{file}: not declared" for file in changed] or ["every file is declared"]
    if words[0] not in WORDS:
        raise UsageError(f"{words[0]}: expected {' or '.join(WORDS)}, and files")
    unknown = [name for name in words[1:] if name not in files]
    if unknown:
        raise UsageError(f"{unknown[0]}: computes no numbers; files are named like lsbench/engine/trainer.py")
    meant = {name: files[name] for name in words[1:]} if words[1:] else changed
    kept = {file: known for file, known in groups.items() if file in files}
    write_groups(declare(kept, meant, are_same=words[0] == "same"))
    return [f"{file}: declared, {words[0]}" for file in meant] or ["every file was declared already"]


if __name__ == "__main__":
    try:
        print("\n".join(main(sys.argv[1:])))
    except LsbenchError as error:
        sys.exit(str(error))
