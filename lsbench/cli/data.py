"""The verbs of ``lsbench data``: check a data set, or write a generated one as plain folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsbench.cli.completion import of
from lsbench.cli.options import DataOpt, JsonOpt
from lsbench.core.atomic import atomic_folder, copy_folder
from lsbench.core.counted import counted
from lsbench.core.errors import ExitCode, UsageError
from lsbench.core.next_command import next_command

if TYPE_CHECKING:
    from lsbench.data.dataset import DatasetPlugin, DatasetSpec
    from lsbench.data.findings import Report

data_app = typer.Typer(help="Check data sets, or write generated ones.", no_args_is_help=True)

NameArg = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A data set, see `lsbench list datasets`.", autocompletion=of("DATASETS")
    ),
]
SettingsOpt = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of the data set, e.g. reader=wds."),
]


@data_app.command()
def check(
    name: NameArg,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[PATH]", help="Folder of the data set; default: below --data, or the cache."),
    ] = None,
    data: DataOpt = None,
    settings: SettingsOpt = None,
    is_complete: Annotated[
        bool, typer.Option("--all", help="Decode and hash every image, not only a sample.")
    ] = False,
    as_json: JsonOpt = False,
) -> None:
    """Check a data set: classes, images, sizes, modes, a hash for comparing machines, and problems.

    Exits with 0 if the data set is usable, else with 2; if it is missing, says how to get it.
    """
    report = _examine(name, path, data, settings or [], is_complete)
    from lsbench.rendering.console import fitted

    for line in [report.model_dump_json()] if as_json else map(fitted, _lines(report)):
        typer.echo(line)
    if not report.is_good:
        raise typer.Exit(ExitCode.USAGE)


@data_app.command()
def write(
    name: NameArg,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder.")],
    settings: SettingsOpt = None,
) -> None:
    """Write a generated data set as plain files, to view or use elsewhere."""
    from lsbench.core.cache_root import cache_root
    from lsbench.data.preflight import check_prepared

    plugin, spec = _load(name, None, settings or [], is_generated=True)
    folders = plugin.prepare(spec, None)
    if not folders.root.resolve().is_relative_to(cache_root().resolve()):
        raise UsageError(
            f"{name}: expected a generated data set, found one with files of its own in {folders.root}"
        )
    _copy(folders.root, folder.absolute())
    report = check_prepared(folders, name)
    report.require()
    counts = [f"{count} {split}" for split, count in report.images.items()]
    typer.echo(f"{name}: {', '.join(counts)} images in {folder}")


def _examine(
    name: str, path: Path | None, data_root: Path | None, settings: list[str], is_complete: bool
) -> Report:
    from lsbench.data.preflight import check_data, check_prepared

    plugin, spec = _load(name, path, settings)
    if path is None or "root" in plugin.spec.model_fields:
        root = None if data_root is None else data_root.absolute()
        return check_data(plugin, spec, root, is_complete=is_complete)
    copy = plugin.prepare(spec, None).moved(path.absolute())
    if absent := [place for place in copy.splits.values() if not place.exists()]:
        raise UsageError(
            f"expected {name} in {absent[0]}, found nothing; write it with "
            f"`{next_command('data', 'write', name, str(path))}`, or leave PATH out"
        )
    return check_prepared(copy, name, is_complete=is_complete)


def _load(
    name: str, path: Path | None, settings: list[str], *, is_generated: bool = False
) -> tuple[DatasetPlugin, DatasetSpec]:
    """Return the plug-in and its settings.

    Raises:
        ConfigError: If the data set or a setting does not exist, or a value is wrong.
        UsageError: If the data set is not generated, or needs a folder.
    """
    from pydantic import ValidationError

    from lsbench.core.registry import DATASETS
    from lsbench.suite.marked_yaml import MarkedDict, read_value
    from lsbench.suite.problems import Problems

    plugin: DatasetPlugin = DATASETS.load(name)
    fields = plugin.spec.model_fields
    if is_generated and "root" in fields:
        raise UsageError(f"{name}: expected a data set that lsbench generates, found one of your own files")
    values = MarkedDict(name=name)
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: expected KEY=VALUE, e.g. img_size=64")
        if key in values:
            raise UsageError(f"--set {text}: '{key}' is given twice")
        values[key] = read_value(value, f"--set {text}")
        values.lines[key] = 0  # stands for the command line in messages
    if path is not None and "root" in fields:
        values["root"] = path.absolute()
    if "root" in fields and fields["root"].is_required() and "root" not in values:
        raise UsageError(f"{name}: expected the folder of the data set: `lsbench data check {name} PATH`")
    problems = Problems(name, values)
    try:
        return plugin, plugin.spec.model_validate(values)
    except ValidationError as error:
        problems.add_validation(error, plugin.spec)
        problems.raise_if_any()
        raise


def _copy(source: Path, target: Path) -> None:
    """Copy all files that are not hidden; an interrupted copy leaves no target folder behind.

    Raises:
        UsageError: If the target is not empty, or cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"expected a new or empty folder, found files in {target}; name another")
    try:
        with atomic_folder(target) as part:
            copy_folder(source, part, keep=lambda name: not name.startswith("."))
    except OSError as error:
        raise UsageError(f"{target}: cannot be written ({error.strerror or error})") from error


def _lines(report: Report) -> Iterator[str]:
    """Yield a report as lines for display."""
    if report.root is not None:
        masked = f" (models know {report.known_classes})" if report.classes < report.known_classes else ""
        yield f"ok   {report.name}: {counted(report.classes, 'class')}{masked} in {report.root}"
        yield f"ok   images: {', '.join(f'{split} {count}' for split, count in report.images.items())}"
    if report.sizes is not None:
        smallest, middle, largest = (
            f"{width}x{height}"
            for width, height in (report.sizes.smallest, report.sizes.median, report.sizes.largest)
        )
        modes = ", ".join(f"{count} {mode}" for mode, count in report.modes.items())
        yield f"ok   checked: {counted(report.looked_at, 'image')} ({modes})"
        yield f"ok   pixels: {smallest} to {largest}, median {middle}"
        yield f"ok   sha256 of the checked images: {report.sha256}"
    for note in report.notes:
        yield f"note {note}"
    for problem in report.problems:
        yield f"BAD  {problem}"
