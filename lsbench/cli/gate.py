"""The verb ``gate``: run missing jobs, compare with a baseline, and measure suspects once more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsbench.cli.options import (
    RESULTS,
    AddressOpt,
    DataOpt,
    GateFormat,
    LimitOpt,
    MaxParallelOpt,
    PresetOpt,
    ResultsOpt,
    Scheduler,
    SchedulerOpt,
    SetOpt,
    SuiteArg,
)
from lsbench.cli.output import STDOUT, SUFFIXES, Output, OutputOpt
from lsbench.cli.running import create_graph, create_stderr, run_jobs
from lsbench.core.counted import counted
from lsbench.core.errors import (
    ConfigError,
    ExitCode,
    JobsFailedError,
    LsbenchError,
    NothingMeasuredError,
    UsageError,
)
from lsbench.core.next_command import near, next_command

if TYPE_CHECKING:
    from lsbench.gate.baseline import Baseline
    from lsbench.gate.judge import Judgement
    from lsbench.gate.measurement import GateRow
    from lsbench.gate.verdict import Finding
    from lsbench.store.results import ResultsFolder
    from lsbench.suite.graph import JobGraph

EXAMPLE = "e.g. `- {metric: top1, min_effect: 0.005}`"


@dataclass(frozen=True)
class _Runner:
    """Runs jobs, if that is allowed.

    Attributes:
        may_run: False with ``--no-run``.
        retry: The command that measures inconclusive timings again.
    """

    graph: JobGraph
    results: Path
    scheduler: Scheduler
    address: str | None
    max_parallel: int | None
    may_run: bool
    retry: str

    def run(
        self, graph: JobGraph, only: Sequence[str] = (), *, retried: frozenset[str] = frozenset()
    ) -> ResultsFolder:
        """Run the missing jobs, unless running is off; return the results folder.

        Args:
            graph: The jobs.
            only: Labels of the jobs to run; empty: all.
            retried: Metrics whose inconclusive timings are measured again.
        """
        from lsbench.scheduler.run import RunOptions, results_folder

        if self.may_run:
            options = RunOptions(
                self.results,
                list(only),
                max_parallel=self.max_parallel,
                retry_inconclusive=bool(retried),
                retry_metrics=retried,
            )
            run_jobs(graph, options, self.scheduler, self.address)
        folder = results_folder(graph, self.results)
        if folder.manifest() is None:
            raise NothingMeasuredError(f"{near(folder.root)}: no results to judge; leave --no-run out")
        return folder


def gate(
    suite: SuiteArg,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The baseline. Default: <results>/baselines/<suite>.json"),
    ] = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write the baseline instead of comparing with it.")
    ] = False,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="Run nothing, judge the existing results.")
    ] = False,
    asked_format: Annotated[
        GateFormat | None,
        typer.Option("--format", help="Format of the judgement; default: by the suffix of -o, or console."),
    ] = None,
    output: OutputOpt = STDOUT,
    junit: Annotated[str | None, typer.Option(metavar="FILE", help="Also write JUnit XML.")] = None,
    history: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Parquet file with all nights. Default: in the results folder."),
    ] = None,
    preset: PresetOpt = "default",
    results: ResultsOpt = RESULTS,
    data: DataOpt = None,
    limit: LimitOpt = None,
    overrides: SetOpt = None,
    address: AddressOpt = None,
    scheduler: SchedulerOpt = Scheduler.ray,
    max_parallel: MaxParallelOpt = None,
) -> None:
    """Compare a suite with a baseline: run missing jobs, and fail only if something got worse."""
    from lsbench.gate.baseline import default_path, read_baseline
    from lsbench.gate.verdict import exit_code
    from lsbench.tables.nights import FILE

    graph = create_graph(suite, preset, overrides, limit, data, results)
    if not graph.suite.gate:
        raise ConfigError(f"{suite}: no rules for the gate: add a section `gate` with {EXAMPLE}")
    if graph.suite.search is not None:
        raise UsageError(f"{suite}: it is a search; judge the tuned suite that it writes")
    path = baseline or default_path(results, graph.suite.name, graph.suite.preset)
    retry = next_command(
        "run",
        suite,
        "--retry-inconclusive",
        results=results,
        preset=preset,
        data=data,
        limit=limit,
        overrides=overrides,
    )
    runner = _Runner(graph, results, scheduler, address, max_parallel, may_run=not no_run, retry=retry)
    if update_baseline:
        Output(str(path), "--baseline").check()
        _update(runner, path)
        return
    target = Output(output)
    format_name = target.choose_format(asked_format, lambda: SUFFIXES)
    targets = [(target, format_name)] + ([(Output(junit, "--junit"), "junit")] if junit is not None else [])
    for one, _ in targets:
        one.check()
    before = read_baseline(path)
    before.check_suite(path, graph.suite.name, graph.suite.preset)
    folder = runner.run(graph)
    judgement, not_done = _judge(runner, folder, before)
    nights = history or folder.root / FILE
    judgement, has_read = _with_trends(judgement, nights, is_new=not no_run)
    written = _show(judgement, targets)
    if has_read and not no_run:
        _remember(judgement, nights)
    raise typer.Exit(exit_code(judgement.findings, jobs_failed=bool(not_done)) or written)


def _judge(runner: _Runner, folder: ResultsFolder, before: Baseline) -> tuple[Judgement, list[str]]:
    """Return the judgement after measuring suspects twice, and the labels of jobs without a result."""
    from lsbench.gate.collect import collect_rows, jobs_not_done
    from lsbench.gate.judge import Judgement, judge
    from lsbench.gate.judged_commit import judged_commit
    from lsbench.gate.notes import commits, describe, mark_stale

    suite = runner.graph.suite
    rows = collect_rows(folder, suite.gate)
    findings = judge(before.rows, rows, suite.gate)
    if runner.may_run:
        findings = mark_stale(findings, rows, _code_here())
    not_done = jobs_not_done(folder)
    notes = tuple(describe(before, rows, suite.gate, not_done, retry=runner.retry))
    first = Judgement(suite.name, suite.preset, commits(rows), tuple(findings), notes, judged=judged_commit())
    return replace(first, findings=tuple(_sure(runner, folder, before, rows, first))), not_done


def _sure(
    runner: _Runner, folder: ResultsFolder, before: Baseline, rows: list[GateRow], first: Judgement
) -> list[Finding]:
    """Return the findings after measuring every suspected regression once more."""
    from lsbench.gate.collect import collect_rows
    from lsbench.gate.judge import judge
    from lsbench.gate.recheck import jobs_behind, lend_needs, recheck_graph, with_second, with_second_rows
    from lsbench.gate.verdict import unalarmed
    from lsbench.scheduler.run import results_folder

    suspects, rules = first.suspects, runner.graph.suite.gate
    if not suspects:
        return list(first.findings)
    if not runner.may_run:
        return unalarmed(first.findings)
    again = recheck_graph(runner.graph)
    labels = jobs_behind(runner.graph, rows, suspects)
    create_stderr().print(
        f"{counted(len(suspects), 'suspected regression')}: "
        f"measuring {counted(len(labels), 'job')} once more."
    )
    lend_needs(runner.graph, labels, folder, results_folder(again, runner.results))
    second = collect_rows(runner.run(again, labels), rules)
    found = judge(before.rows, with_second_rows(rows, second), rules)
    return with_second(first.findings, found, suspects, measured={row.key for row in second})


def _code_here() -> str | None:
    from lsbench.core.env import code_label, provenance

    return code_label(provenance())


def _update(runner: _Runner, path: Path) -> None:
    """Write the baseline; if the results have a problem, the old one stays unchanged.

    Raises:
        JobsFailedError: If a job has no result.
        InconclusiveError: If a number could not be measured, or was measured by other code.
        UsageError: If no job measures the metric of a rule.
    """
    import lsbench
    from lsbench.gate.baseline import create_baseline, write_baseline
    from lsbench.gate.collect import collect_rows, jobs_not_done
    from lsbench.gate.notes import check_complete

    suite = runner.graph.suite
    folder = runner.run(runner.graph, retried=frozenset(rule.metric for rule in suite.gate))
    kept = f"{path} is unchanged"
    not_done = jobs_not_done(folder)
    if not_done:
        raise JobsFailedError(
            f"{counted(len(not_done), 'job has', 'jobs have')} no result, e.g. {not_done[0]}; {kept}"
        )
    rows = collect_rows(folder, suite.gate)
    check_complete(rows, suite.gate, code=_code_here() if runner.may_run else None, kept=kept)
    write_baseline(create_baseline(suite.name, suite.preset, lsbench.__version__, suite.gate, rows), path)
    create_stderr().print(f"{path}: baseline of {counted(len(rows), 'row')}.", soft_wrap=True)


def _with_trends(judgement: Judgement, path: Path, *, is_new: bool) -> tuple[Judgement, bool]:
    """Return the judgement with the trends of its rows, and whether the history could be read.

    Args:
        judgement: Tonight's judgement.
        path: File of the history.
        is_new: Whether tonight is not yet in the history.
    """
    from lsbench.gate.history import trends, with_night
    from lsbench.tables.nights import read_nights

    try:
        nights = read_nights(path)
        nights = with_night(nights, judgement) if is_new else nights
        return replace(judgement, trends=trends(nights, judgement.suite, judgement.preset)), True
    except Exception as error:  # noqa: BLE001 - whatever happens to the history, the verdict stands
        _tell("the history is left out", error)
        return judgement, False


def _remember(judgement: Judgement, path: Path) -> None:
    """Add tonight to the history."""
    from lsbench.gate.history import add_night

    try:
        add_night(path, judgement)
    except Exception as error:  # noqa: BLE001 - as above
        _tell("tonight is not in the history", error)


def _show(judgement: Judgement, targets: Sequence[tuple[Output, str]]) -> ExitCode:
    """Write the judgement to every target; return the code for those that could not be written.

    If stdout is not among them, the judgement is also shown there, first of all.
    """
    from lsbench.gate.renderers import RENDERERS, to_console

    is_terminal = sys.stdout.isatty()
    if not any(target.is_stdout for target, _ in targets):
        typer.echo(to_console(judgement, is_styled=is_terminal), nl=False)
    code = ExitCode.OK
    for target, name in targets:
        render = RENDERERS[name]
        if name == "console" and target.is_stdout and is_terminal:
            render = partial(to_console, is_styled=True)
        try:
            target.write(render(judgement), what=name)
        except LsbenchError as error:
            _tell("", error)
            code = error.exit_code
    return code


def _tell(what: str, error: Exception) -> None:
    reason = " ".join(str(error).split()) or type(error).__name__
    typer.echo(f"lsbench: {what}{': ' if what else ''}{reason}", err=True)
