"""The verb ``new``: write a working plug-in and its test, into a package or into this checkout."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from string import Template
from typing import Annotated, Any

import typer

from lsbench.core.destination import write_to
from lsbench.core.errors import UsageError
from lsbench.core.registry import (
    ANALYSES,
    DATASETS,
    FAMILIES,
    JOBS,
    LOGGERS,
    METRICS,
    MIXERS,
    MODELS,
    PACKAGE_ROOT,
    PROBES,
    REPORTS,
    RUNTIMES,
    Registry,
)
from lsbench.corruptions import KINDS as CORRUPTIONS

TEMPLATES = Path(__file__).resolve().parent / "templates"
NAME = re.compile(r"[a-z][a-z0-9_]*")

PYPROJECT = """\
[build-system]
requires = ["setuptools>=68"]
build-backend = "setuptools.build_meta"

[project]
name = "{project}"
version = "0.1"
description = "Plug-ins for lsbench"
requires-python = ">=3.11"
dependencies = ["lsbench"]

[tool.setuptools]
packages = ["{module}"]
"""


class Kind(StrEnum):
    """The kinds of plug-ins that can be written from a template."""

    mixer = "mixer"
    metric = "metric"
    probe = "probe"
    dataset = "dataset"
    job = "job"
    analysis = "analysis"
    report = "report"
    runtime = "runtime"
    logger = "logger"
    corruption = "corruption"
    model = "model"
    family = "family"


REGISTRIES: dict[Kind, Registry] = {
    Kind.mixer: MIXERS,
    Kind.metric: METRICS,
    Kind.probe: PROBES,
    Kind.dataset: DATASETS,
    Kind.job: JOBS,
    Kind.analysis: ANALYSES,
    Kind.report: REPORTS,
    Kind.runtime: RUNTIMES,
    Kind.logger: LOGGERS,
    Kind.corruption: CORRUPTIONS,
    Kind.model: MODELS,
    Kind.family: FAMILIES,
}


@dataclass(frozen=True)
class Target:
    """The place of a plug-in: the import path of its module, its file, and the file of its test."""

    module: str
    file: Path
    test: Path


def new(
    kind: Annotated[Kind, typer.Argument(help="Kind of plug-in.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name in suites, and of the file.")],
    package: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of a package, created if needed; default: this checkout."),
    ] = None,
) -> None:
    """Write a working plug-in and its test from a template, as a start for your own."""
    target = create_plugin(kind, name, package)
    typer.echo(f"written: {target.file}\nwritten: {target.test}")
    if package is None:
        typer.echo(f"test it: pytest {target.test} tests/contract -k {name}")
        if kind in (Kind.mixer, Kind.family):
            typer.echo("then count what it costs: python -m lsbench.cli.catalog")
    else:
        typer.echo(f"install it: pip install -e {package}")
        typer.echo(f"test it: pytest {target.test} && pytest --pyargs lsbench.testing --{kind} {name}")


def create_plugin(kind: Kind, name: str, package: Path | None) -> Target:
    """Write a plug-in and its test, with an entry point if it is in a package; return their place.

    Args:
        kind: Kind of plug-in.
        name: Its name in suites.
        package: Folder of a package, created if needed; None: the checkout that lsbench runs from.

    Raises:
        UsageError: If the name is taken or not a file name, or there is no place to write to.
    """
    plugins = REGISTRIES[kind]
    if not NAME.fullmatch(name):
        raise UsageError(f"{name}: expected a name of lower-case letters, digits and underscores")
    if name in plugins.names():
        raise UsageError(f"{name}: there is already a {plugins.kind} of this name; choose another one")
    target = _in_checkout(plugins, name) if package is None else _in_package(package, name)
    for path in (target.file, target.test):
        if path.exists():
            raise UsageError(f"{path}: the file already exists; choose another name, or remove it")
    if package is not None:
        add_entry_point(package / "pyproject.toml", plugins.group, name, target.module)
    words = name.replace("_", " ")
    values = {
        "name": name,
        "words": words,
        "Title": words.capitalize(),
        "Class": "".join(part.capitalize() for part in name.split("_")),
        "module": target.module,
    }
    for path, template in ((target.file, f"{kind}.py.txt"), (target.test, f"{kind}_test.py.txt")):
        _write(path, Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(values))
    return target


def _in_checkout(plugins: Registry, name: str) -> Target:
    checkout = PACKAGE_ROOT.parent
    if plugins.own is not None:
        raise UsageError(f"a {plugins.kind} needs a package of its own: give --package DIR")
    if not (checkout / "tests" / "unit").is_dir():
        raise UsageError("lsbench is installed, not a checkout: give --package DIR, a folder of your own")
    inside = Path(*plugins.package.split(".")[1:])
    test = checkout / "tests" / "unit" / inside / f"test_{name}.py"
    return Target(f"{plugins.package}.{name}", PACKAGE_ROOT / inside / f"{name}.py", test)


def _in_package(folder: Path, name: str) -> Target:
    """Return the place of a plug-in in a package; the package is created if needed."""
    file = folder / "pyproject.toml"
    if not file.exists():
        project = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
        module = project.replace("-", "_")
        if not NAME.fullmatch(module):
            raise UsageError(f"{folder}: expected a folder whose name starts with a letter")
        _write(folder / module / "__init__.py", '"""Plug-ins for lsbench."""\n')
        _write(file, PYPROJECT.format(project=project, module=module))
    module_folder = find_package(folder, _read(file))
    return Target(
        f"{module_folder.name}.{name}", module_folder / f"{name}.py", folder / "tests" / f"test_{name}.py"
    )


def find_package(folder: Path, pyproject: dict[str, Any]) -> Path:
    """Return the folder of a project's package: in the project folder or in its ``src``.

    Raises:
        UsageError: If there is none, or there are several and none has the project's name.
    """
    found = [
        init.parent for place in (folder, folder / "src") for init in sorted(place.glob("*/__init__.py"))
    ]
    found = [path for path in found if path.name not in ("tests", "docs")]
    project = re.sub(r"[-.]+", "_", str(pyproject.get("project", {}).get("name", "")).lower())
    named = [path for path in found if path.name == project]
    if len(named or found) != 1:
        there = ", ".join(str(path) for path in found) or "none"
        raise UsageError(f"{folder}: expected one package called '{project}' here or in src, found {there}")
    return (named or found)[0]


def add_entry_point(file: Path, group: str, name: str, module: str) -> None:
    """Add an entry point to a ``pyproject.toml``; the rest of the file stays unchanged.

    Raises:
        UsageError: If the file cannot be edited, or already has the entry point.
    """
    known = _read(file).get("project", {}).get("entry-points", {}).get(group)
    if known is not None and name in known:
        raise UsageError(f"{file}: the entry point {group}: {name} already exists; choose another name")
    text, line = file.read_text(encoding="utf-8"), f'{name} = "{module}"\n'
    header = re.compile(rf'^\[project\.entry-points\.(["\']){re.escape(group)}\1\][^\n]*\n', re.MULTILINE)
    if found := header.search(text):
        text = text[: found.end()] + line + text[found.end() :]
    elif known is None:
        text = f'{text.rstrip()}\n\n[project.entry-points."{group}"]\n{line}'
    else:
        raise UsageError(f'{file}: add `{name} = "{module}"` to the entry points of {group} yourself')
    _write(file, text)


def _write(file: Path, text: str) -> None:
    try:
        write_to(file, text.encode())
    except OSError as error:
        raise UsageError(f"{file}: cannot be written ({error.strerror or error})") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: cannot be read as TOML ({error})") from error
