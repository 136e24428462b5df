"""The verbs ``compare`` and ``verify``: compare two sets of results, or ours with published ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from lsbench.cli.completion import measured_suites, offers
from lsbench.cli.options import RESULTS, ResultsOpt, results_folders, to_side
from lsbench.cli.output import STDOUT, SUFFIXES, Output, OutputOpt
from lsbench.core.errors import NothingMeasuredError
from lsbench.core.next_command import near, next_command


class TextFormat(StrEnum):
    """Output formats of a comparison."""

    console = "console"
    markdown = "markdown"
    json = "json"


FormatOpt = Annotated[
    TextFormat | None,
    typer.Option("--format", help="Output format; default: by the suffix of -o, or console."),
]
SIDE = "A results folder, a suite with results, SUITE@COMMIT, a commit, or reference:SUITE."


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help=SIDE, autocompletion=offers(measured_suites))],
    b: Annotated[
        str,
        typer.Argument(
            metavar="B", help="The other side, given the same way.", autocompletion=offers(measured_suites)
        ),
    ],
    format_name: FormatOpt = None,
    output: OutputOpt = STDOUT,
    preset: Annotated[str | None, typer.Option(metavar="NAME", help="Preset of both sides.")] = None,
    results: ResultsOpt = RESULTS,
) -> None:
    """Compare two suites, results folders or commits: each difference with its interval and a verdict."""
    from lsbench.rendering.side_by_side import (
        HEADER,
        agreement_notes,
        beside_json,
        beside_notes,
        beside_rows,
        table_text,
    )
    from lsbench.tables.answer_changes import find_agreements, other_origins, relative_timings
    from lsbench.tables.side_by_side import compare_sources, find_source

    target, format_name = _target(output, format_name)
    one, two = (find_source(to_side(asked), results, preset) for asked in (a, b))
    found, names = compare_sources(one, two), (a, b)
    agreements = find_agreements(one, two)
    earlier = list(dict.fromkeys([*one.code_notes(), *two.code_notes()]))
    if format_name is TextFormat.json:
        text = beside_json(found, names, agreements)
        for line in earlier:
            typer.echo(f"warning: {line}", err=True)
    else:
        same = agreement_notes(agreements, relative_timings(found), other_origins(one, two))
        sides, *words = beside_notes(found, names)
        rows, notes = beside_rows(found), [sides, *same, *words, *earlier]
        text = table_text(format_name, f"{a} and {b}", HEADER, rows, notes)
    target.write(text, what=format_name)


def verify(
    suite: Annotated[
        str | None,
        typer.Argument(
            metavar="[SUITE]",
            help="A suite or results folder; default: all.",
            autocompletion=offers(measured_suites),
        ),
    ] = None,
    format_name: FormatOpt = None,
    output: OutputOpt = STDOUT,
    results: ResultsOpt = RESULTS,
) -> None:
    """Compare results with published numbers: each reproduces, differs, or is undecided."""
    from lsbench.rendering.side_by_side import table_text
    from lsbench.store.damage import read_each
    from lsbench.tables.published.verification import HEADER, verification_counts, verification_rows
    from lsbench.tables.published.verification import verify as verify_folder

    target, format_name = _target(output, format_name)
    try:
        folders = results_folders(suite, None, results)
    except NothingMeasuredError:
        folders = []
    found = [one for rows in read_each(folders, verify_folder) for one in rows]
    if not found:
        start = next_command("run", "paper/table1", "--only", "*/profile", results=results)
        raise NothingMeasuredError(
            f"{near(results)}: no results{f' of {suite}' if suite else ''} of a suite with published "
            f"numbers; start with e.g. `{start}`"
        )
    if format_name is TextFormat.json:
        text = json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False) + "\n"
    else:
        rows, notes = list(verification_rows(found)), [f"{verification_counts(found)}."]
        text = table_text(format_name, "published numbers", HEADER, rows, notes, keys=3)
    target.write(text, what=format_name)


def _target(output: str, asked: TextFormat | None) -> tuple[Output, TextFormat]:
    """Return the checked destination, and the format that fits it."""
    target = Output(output)
    suffixes = {name.value: SUFFIXES[name] for name in TextFormat}
    chosen = TextFormat(target.choose_format(asked, lambda: suffixes))
    target.check()
    return target, chosen
