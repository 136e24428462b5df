"""The verb ``schema``: the JSON Schema of suite files, for editors."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of suite files, for editors."""
    from lsbench.suite.json_schema import suite_json_schema

    typer.echo(json.dumps(suite_json_schema(), indent=1))
