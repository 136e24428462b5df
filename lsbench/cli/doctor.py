"""The verb ``doctor``: show this machine's software, hardware and data, and any problems."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import typer

from lsbench.cli.options import RESULTS, DataOpt, JsonOpt, ResultsOpt
from lsbench.core.errors import ExitCode
from lsbench.rendering.wrapping import wrap

if TYPE_CHECKING:
    from lsbench.cli.diagnoses import Diagnosis

MOST_LETTERS = 100


def doctor(results: ResultsOpt = RESULTS, data: DataOpt = None, as_json: JsonOpt = False) -> None:
    """Show this machine's software, hardware and data, each ok, absent or wrong."""
    from lsbench.cli.diagnoses import examine

    wrong = 0
    for finding in examine(results, data):
        wrong += finding.state == "wrong"
        if as_json:
            line = {"what": finding.what, "state": finding.state, "found": finding.found}
            typer.echo(json.dumps({**line, "good": finding.state != "wrong"}))
        else:
            typer.echo(_lines(finding))
    if wrong:
        raise typer.Exit(ExitCode.USAGE)


def _lines(finding: Diagnosis) -> str:
    """Return a finding as lines that fit the terminal."""
    width = min(MOST_LETTERS, shutil.get_terminal_size().columns)
    text = f"{finding.state:6} {finding.what}: {finding.found}"
    return "\n".join(wrap(text.replace("\n", " "), width, hanging=" " * 9))
