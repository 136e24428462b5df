"""The arguments and options shared by the verbs of the command line, and a search for results."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lsbench.cli.completion import ASKED, measured_suites, offers, parts_of_suite, presets, suite_names
from lsbench.core.errors import NothingMeasuredError, UsageError
from lsbench.core.next_command import RESULTS as USUAL_RESULTS
from lsbench.core.next_command import near, next_command
from lsbench.core.plain_text import visible

if TYPE_CHECKING:
    from lsbench.store.results import ResultsFolder


class Scheduler(StrEnum):
    """The ways to run jobs."""

    ray = "ray"
    inline = "inline"


def in_utf8(value: Any) -> Any:
    """Return the value of an option whose text is stored with the results.

    Raises:
        UsageError: If it holds bytes that are not UTF-8.
    """
    for text in map(str, value if isinstance(value, list) else [value]):
        if text != text.encode(errors="ignore").decode():
            raise UsageError(
                f"expected text in UTF-8, found '{visible(text)}'; rename what it names, or give a link to it"
            )
    return value


class GateFormat(StrEnum):
    """Output formats of the gate."""

    console = "console"
    markdown = "markdown"
    json = "json"
    junit = "junit"


class ClassTable(StrEnum):
    """The tables of single classes."""

    accuracy = "accuracy"
    confusion = "confusion"


class Listing(StrEnum):
    """The listings."""

    models = "models"
    families = "families"
    mixers = "mixers"
    datasets = "datasets"
    corruptions = "corruptions"
    jobs = "jobs"
    metrics = "metrics"
    probes = "probes"
    analyses = "analyses"
    recipes = "recipes"
    runtimes = "runtimes"
    loggers = "loggers"
    reports = "reports"
    suites = "suites"


def existing_folder(context: typer.Context, option: typer.CallbackParam, value: Path | None) -> Path | None:
    """Return the folder that an option names, to be read; one that a variable names may be absent.

    Raises:
        UsageError: If there is no such folder, or its name is not UTF-8.
    """
    in_utf8(value)
    source = context.get_parameter_source(str(option.name))
    is_written = source is not None and source.name == "COMMANDLINE"
    if value is not None and is_written and not value.is_dir():
        what = "a file" if value.is_file() else "nothing"
        raise UsageError(
            f"{option.opts[0]} {value}: expected the folder that holds the data sets, such as imagenet/, "
            f"found {what} there"
        )
    return value


SuiteArg = Annotated[
    str,
    typer.Argument(
        metavar="SUITE",
        help="A suite file, or the name of a shipped suite.",
        autocompletion=offers(suite_names),
    ),
]
SuiteOfJobOpt = Annotated[
    str | None,
    typer.Option(
        "--suite",
        metavar="SUITE",
        help="Search only the results of this suite; default: all.",
        autocompletion=offers(measured_suites),
    ),
]


def results_place(text: str | Path) -> Path:
    """Return the folder of all results; an address such as ``s3://bucket/path`` gives its local copy."""
    if ":/" not in str(text) or ASKED in os.environ:
        return Path(text)
    from lsbench.store.owned import results_at

    return results_at(text)


ResultsOpt = Annotated[
    Path,
    typer.Option(
        "--results",
        metavar="DIR",
        help="Folder of all results, or its address, e.g. s3://bucket/path.",
        parser=results_place,
    ),
]
PresetOpt = Annotated[
    str,
    typer.Option("--preset", metavar="NAME", help="A preset of the suite.", autocompletion=offers(presets)),
]
PresetOfJobOpt = Annotated[
    str | None,
    typer.Option(
        "--preset", metavar="NAME", help="Only this preset; default: all.", autocompletion=offers(presets)
    ),
]
SuitesArg = Annotated[
    str | None,
    typer.Argument(
        metavar="[SUITE]",
        help="A suite's name or file, or a results folder; default: all.",
        autocompletion=offers(measured_suites),
    ),
]
DataOpt = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        envvar="LSBENCH_DATA",
        help="Folder of large data sets, e.g. DIR/imagenet.",
        callback=existing_folder,
    ),
]
OnlyOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="GLOB",
        help="Only these variants or jobs: names, labels, ids or kinds of jobs.",
        autocompletion=offers(parts_of_suite),
    ),
]
RerunOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--rerun",
        metavar="GLOB",
        help="Run finished jobs again, matched as by --only, and all jobs that need them.",
        autocompletion=offers(parts_of_suite),
    ),
]
RetryOpt = Annotated[
    bool,
    typer.Option("--retry-inconclusive", help="Run finished jobs again whose timings are inconclusive."),
]
SkipOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--skip", metavar="GLOB", help="Not these variants or jobs.", autocompletion=offers(parts_of_suite)
    ),
]
SeedsOpt = Annotated[
    str | None, typer.Option("--seeds", metavar="0,1,2", help="Only these seeds of the suite.")
]
LimitOpt = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        metavar="N",
        help="N steps per training, N batches (drawn evenly) per evaluation, N passes per timing; "
        "results are kept apart.",
    ),
]
SetOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override, e.g. jobs.train.epochs=1; results are kept apart.",
        callback=in_utf8,
    ),
]
AddressOpt = Annotated[
    str | None, typer.Option("--address", help="A Ray cluster: auto or host:port. Default: a local Ray.")
]
SchedulerOpt = Annotated[
    Scheduler, typer.Option("--scheduler", help="inline: one after another in this process.")
]
MaxParallelOpt = Annotated[
    int | None, typer.Option("--max-parallel", min=1, metavar="N", help="Maximum number of jobs at a time.")
]
WaitOpt = Annotated[
    float | None,
    typer.Option(
        "--wait-for-nodes",
        min=0,
        metavar="MIN",
        help="With --address: minutes to wait for nodes while nothing can run. Default: without end, but a "
        "job that fits on no node of a cluster of fixed size ends the run before it starts.",
    ),
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Machine-readable lines on stdout, text on stderr.")]


RESULTS = USUAL_RESULTS


def results_folders(suite: str | None, preset: str | None, results: Path) -> list[ResultsFolder]:
    """Return the results that a user names, or all.

    Args:
        suite: Name or file of a suite, or a results folder, of one preset or more; None: all.
        preset: Only this preset.
        results: The folder of all results.

    Raises:
        UsageError: If there is neither a suite nor a folder of that name.
        NothingMeasuredError: If there are no results.
    """
    from lsbench.store.places import find_asked, find_results, of_preset

    every = find_results(results) if suite is None else find_asked(suite, results)
    name = suite
    if every is None:
        name = _suite_name(str(suite), results)
        every = find_results(results, name)
    folders = of_preset(every, preset)
    what = f" of {name}" if name else ""
    if every and not folders:
        there = ", ".join(dict.fromkeys(folder.root.name for folder in every))
        raise NothingMeasuredError(
            f"{near(results)}: no results{what} by preset '{preset}'; there are: {there}"
        )
    if not folders:
        start = next_command("run", suite or "ablations", results=results, preset=preset)
        raise NothingMeasuredError(f"{near(results)}: no results{what}; start with `{start}`")
    return folders


def _suite_name(suite: str, results: Path) -> str:
    """Return the name of a suite that is given by its file, or of a shipped suite.

    Raises:
        UsageError: If there is no such suite.
    """
    from lsbench.core.registry import suggest
    from lsbench.store.places import find_results
    from lsbench.suite.loader import find_suite, shipped_suites
    from lsbench.suite.overlay import read_suite

    try:
        file = find_suite(suite)
    except UsageError as error:
        known = [*shipped_suites(), *(folder.root.parent.name for folder in find_results(results))]
        hint = suggest(suite, known) or f"; shipped suites: {', '.join(shipped_suites())}"
        raise UsageError(
            f"{suite}: no such suite file, results folder, or suite with results in {near(results)}{hint}"
        ) from error
    name = read_suite(file).get("name")
    if not isinstance(name, str):
        raise UsageError(f"{suite}: not a suite, as it has no `name`; see `lsbench validate {suite}`")
    return name


def to_side(suite: str) -> str:
    """Return a side of a comparison: of a suite's file the suite's name, anything else unchanged."""
    is_file = Path(suite).is_file()
    return _suite_name(suite, RESULTS) if is_file else suite
