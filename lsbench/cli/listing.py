"""The verb ``list``: the names that can be used in a suite."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lsbench.cli.options import JsonOpt, Listing


def list_names(
    what: Annotated[Listing, typer.Argument(help="What to list.")],
    glob: Annotated[str, typer.Argument(metavar="[GLOB]", help="Only matching names, e.g. 'repvit*'.")] = "*",
    as_json: JsonOpt = False,
) -> None:
    """List the names that can be used in a suite."""
    from lsbench.core.globs import matches
    from lsbench.rendering.console import fitted
    from lsbench.suite.listing import named_things

    for name, title in named_things(what.value):
        if not matches(name, glob):
            continue
        line = f"{name:24s}  {title}".rstrip()
        typer.echo(json.dumps({"name": name, "title": title}) if as_json else fitted(line, hanging=" " * 26))
