"""The verb ``report``: tables of one or many suites, whole or in part, in any format."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lsbench.cli.completion import measured_suites, of, offers
from lsbench.cli.options import (
    RESULTS,
    ClassTable,
    PresetOfJobOpt,
    ResultsOpt,
    existing_folder,
    results_folders,
)
from lsbench.cli.output import STDOUT, Output, OutputOpt
from lsbench.core.errors import NothingMeasuredError, UsageError
from lsbench.core.next_command import near, next_command

if TYPE_CHECKING:
    from lsbench.store.results import ResultsFolder
    from lsbench.tables.summary import Summary


def report(
    suites: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SUITE]...",
            help="Names or files of suites, or results folders; default: all.",
            autocompletion=offers(measured_suites),
        ),
    ] = None,
    asked_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="See `lsbench list reports`; default: by the suffix of -o, or console.",
            autocompletion=of("REPORTS"),
        ),
    ] = None,
    preset: PresetOfJobOpt = None,
    output: OutputOpt = STDOUT,
    results: ResultsOpt = RESULTS,
    rows: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Only these variants, by name or title; or with commas."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Only these columns, by key or title, or with commas, in this order; no sections.",
        ),
    ] = None,
    sort_by: Annotated[
        str | None, typer.Option(metavar="KEY", help="Sort by a column, best first, or by `variant`.")
    ] = None,
    descending: Annotated[
        bool | None, typer.Option("--descending/--ascending", help="Direction of --sort-by.")
    ] = None,
    only_changed: Annotated[
        bool,
        typer.Option("--only-changed", help="Only the baseline, and rows that differ significantly from it."),
    ] = False,
    all_columns: Annotated[
        bool,
        typer.Option("--all-columns", help="Show every measurement; csv, json, parquet, html always do."),
    ] = False,
    precision: Annotated[
        int | None,
        typer.Option(min=0, max=12, metavar="N", help="Decimals; csv, json, parquet always have all."),
    ] = None,
    pivot: Annotated[bool, typer.Option("--pivot", help="Variants as columns, metrics as rows.")] = False,
    notes: Annotated[
        bool, typer.Option("--notes/--no-notes", help="Show the notes below a table, or leave them out.")
    ] = True,
    width: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTH",
            help="For latex: one-column, two-column, the width of the text (5.5in), or those of a column "
            "and of the text (3.25in,6.875in); default: one-column.",
        ),
    ] = None,
    bare: Annotated[
        bool, typer.Option("--bare", help="For latex: tabulars alone, with no float, caption or notes.")
    ] = False,
    classes: Annotated[
        ClassTable | None,
        typer.Option("--classes", help="Instead, the classes of every evaluation, as CSV."),
    ] = None,
    thumbnails: Annotated[
        Path | None,
        typer.Option(
            "--thumbnails",
            metavar="DATA",
            help="First write thumbnails of images on which a row and the baseline disagree, for html; "
            "DATA is the folder of large data sets, as for run.",
            callback=existing_folder,
        ),
    ] = None,
    paper: Annotated[
        int | None,
        typer.Option(min=1, max=9, metavar="N", help="Table N of the paper, with our results."),
    ] = None,
    figure: Annotated[
        str | None,
        typer.Option(
            "--figure",
            metavar="N|NAME",
            help="Instead, Figure N of the paper's supplement, or an analysis, of all variants side by side: "
            "as .pdf, .svg or .png by the suffix of -o; default: all three, in the results folder.",
        ),
    ] = None,
) -> None:
    """Print a table: one row per variant, the baseline first, missing results shown as holes."""
    from lsbench.cli.figures import refuse_beside_figure, report_figure
    from lsbench.cli.thumbnails import tell_thumbnails
    from lsbench.core.registry import REPORTS
    from lsbench.reports._classes import classes_csv
    from lsbench.tables.view import View, apply_views

    if figure is not None:
        others = {"--paper": paper, "--classes": classes, "--columns": columns, "--sort-by": sort_by}
        others |= {"--only-changed": only_changed, "--all-columns": all_columns, "--precision": precision}
        others |= {"--width": width, "--bare": bare, "--no-notes": not notes, "--pivot": pivot}
        refuse_beside_figure({**others, "--thumbnails": thumbnails})
        folders = partial(_folders, suites or [], preset, results)
        report_figure(figure, folders, rows or [], Output(output), asked_format)
        return
    if descending is not None and sort_by is None:
        raise UsageError("--descending, --ascending: only together with --sort-by KEY")
    if classes is not None and (pivot or asked_format not in (None, "csv")):
        raise UsageError(f"--classes {classes}: gives CSV of whole evaluations; omit --pivot and --format")
    target, format_name = _target(output, "csv" if classes else asked_format)
    options = _options(format_name, target, width, bare)
    plain = REPORTS.load(format_name) if classes is None else partial(classes_csv, table=classes.value)
    render = partial(plain, **options)
    found = _summaries(suites or [], preset, results) if paper is None else [_paper(paper, suites, results)]
    for summary in found if thumbnails is not None else ():
        if summary.folder is not None:
            tell_thumbnails(summary.folder, thumbnails)
    view = View(
        rows=tuple(rows or ()),
        columns=tuple(columns or ()),
        sort_by=sort_by,
        is_descending=descending,
        only_changed=only_changed,
        precision=precision,
        is_pivoted=pivot,
        all_columns=all_columns,
        has_notes=notes,
    )
    shown = apply_views(found, view)
    content = render(shown)
    for warning in dict.fromkeys(line for summary in shown for line in summary.warnings):
        if isinstance(content, bytes) or warning not in content:
            typer.echo(f"warning: {warning}", err=True)
    target.write(content, what=format_name)


def _folders(suites: list[str], preset: str | None, results: Path) -> list[ResultsFolder]:
    """Return the results folders of suites, each once; if none is named, all."""
    names: list[str | None] = [*suites] or [None]
    folders = {folder.root: folder for name in names for folder in results_folders(name, preset, results)}
    return list(folders.values())


def _summaries(suites: list[str], preset: str | None, results: Path) -> list[Summary]:
    """Return the summaries of suites; if none is named, of all but smoke tests.

    Raises:
        NothingMeasuredError: If there is none.
    """
    from lsbench.store.damage import read_each
    from lsbench.store.places import shown_apart
    from lsbench.tables.summary import summarize

    folders = shown_apart(_folders(suites, preset, results))
    found = [one for one in read_each(folders, summarize) if one is not None]
    if not suites:
        smoke = [summary.suite for summary in found if summary.is_smoke]
        found = [summary for summary in found if not summary.is_smoke]
        if smoke and not found:
            asked = next_command("report", smoke[0], results=results, preset=preset)
            raise NothingMeasuredError(f"{near(results)}: found only smoke tests; name one: `{asked}`")
    if not found:
        start = next_command("run", suites[0] if suites else "ablations", results=results, preset=preset)
        raise NothingMeasuredError(f"{near(results)}: no results to report; start with `{start}`")
    return found


def _paper(number: int, suites: list[str] | None, results: Path) -> Summary:
    from lsbench.store.results import ResultsFolder
    from lsbench.tables.paper import paper_summary, paper_table
    from lsbench.tables.summary import summarize

    if suites:
        raise UsageError(f"--paper {number}: takes no suite; the table is of suite paper/table{number}")
    return paper_summary(number, summarize(ResultsFolder(results / paper_table(number).suite / "default")))


def _options(format_name: str, target: Output, width: str | None, is_bare: bool) -> dict[str, Any]:
    """Return what a format is told of the terminal or the paper.

    Raises:
        UsageError: If options for a paper are given to another format, or name no width.
    """
    from lsbench.reports._latex.paper import parse_width

    if format_name == "latex":
        parse_width(width or "one-column")  # before results are read
        return {"width": width or "one-column", "is_bare": is_bare}
    if width is not None or is_bare:
        raise UsageError(f"{'--bare' if width is None else '--width'}: only with --format latex")
    is_styled = format_name == "console" and target.is_stdout and sys.stdout.isatty()
    return {"is_styled": True} if is_styled else {}


def _target(output: str, asked: str | None) -> tuple[Output, str]:
    """Return the checked destination, and the format that fits it."""
    from lsbench.core.registry import REPORTS

    target = Output(output)
    if asked is not None:
        REPORTS.load(asked)  # an unknown format is told first
    chosen = target.choose_format(asked, _suffixes)
    target.check()
    return target, chosen


def _suffixes() -> dict[str, tuple[str, ...]]:
    """Return format -> the suffixes of its files: as its module says, else its name."""
    from lsbench.core.registry import REPORTS

    return {name: getattr(REPORTS.module(name), "SUFFIXES", (f".{name}",)) for name in REPORTS.usable_names()}
