"""The verb ``validate``: check a suite file and the plug-ins that it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsbench.cli.options import DataOpt, SuiteArg
from lsbench.cli.running import check_machine
from lsbench.core.counted import counted
from lsbench.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from lsbench.suite.schema import Suite


def validate(
    suite: SuiteArg,
    data: DataOpt = None,
    build: Annotated[
        bool, typer.Option("--build", help="Also build every model and run one image through it.")
    ] = False,
) -> None:
    """Check a suite file and all its presets; nothing is run."""
    from lsbench.suite.graph import check_classes
    from lsbench.suite.installed import settings_of
    from lsbench.suite.loader import load_suite, preset_names
    from lsbench.suite.outside import check_torch_plugins
    from lsbench.suite.splits import missing_splits, uses_of

    resolved = [load_suite(suite, preset=preset) for preset in preset_names(suite)]
    check_torch_plugins(resolved)
    check_machine((settings for one in resolved for settings in settings_of(one)), starts_ray=True)
    lacking = [line for one in resolved for line in missing_splits(uses_of(one), data)]
    if lacking:
        raise DataError("\n".join(dict.fromkeys(lacking)))
    for one in resolved:
        check_classes(one, None if data is None else data.absolute())
    if build:
        _build_models(resolved, data)
    for one in resolved:
        jobs = ", ".join(
            (
                counted(len(one.variants), "variant"),
                f"{counted(len(one.jobs), 'job')} each",
                counted(len(one.seeds), "seed"),
            )
        )
        typer.echo(f"{one.name} ({one.preset}): ok: {jobs}")


def _build_models(suites: Sequence[Suite], data: Path | None) -> None:
    from lsbench.scheduler.child import check_models  # imports torch
    from lsbench.suite.graph import build_graph
    from lsbench.suite.models import models_of
    from lsbench.suite.parsed import parsed_once

    graphs = (build_graph(suite, data_root=data) for suite in suites)  # with rows of the same names
    problems = check_models([model for graph in graphs for model in models_of(parsed_once(graph.jobs))])
    if problems:
        raise ConfigError(problems)
