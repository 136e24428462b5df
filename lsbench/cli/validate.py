"""The verb ``validate``: check a suite file and the plug-ins that it names."""

from __future__ import annotations

import typer

from lsbench.cli.options import DataOpt, SuiteArg


def validate(suite: SuiteArg, data: DataOpt = None) -> None:
    """Check a suite file and all its presets; nothing is run."""
    from lsbench.suite.loader import load_suite, preset_names
    from lsbench.suite.outside import check_torch_plugins

    resolved = [load_suite(suite, preset=preset) for preset in preset_names(suite)]
    check_torch_plugins(resolved)
    for one in resolved:
        jobs = f"{len(one.variants)} variants, {len(one.jobs)} jobs each, {len(one.seeds)} seeds"
        typer.echo(f"{one.name} ({one.preset}): ok: {jobs}")
