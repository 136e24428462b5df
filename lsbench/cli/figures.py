"""Figures of the paper, composed from the stored analyses of a suite's variants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lsbench.core.errors import LsbenchError, NothingMeasuredError, StoreError, UsageError

if TYPE_CHECKING:
    from lsbench.analyses import Analysis
    from lsbench.cli.output import Output
    from lsbench.core.panel import ModelPanel
    from lsbench.store.results import ResultsFolder
    from lsbench.tables.panels import Panels

#: Fewest panels of a figure that a run composes by itself.
LEAST = 2


def refuse_beside_figure(given: Mapping[str, object]) -> None:
    """Raise a UsageError if an option of tables was given: option -> its value."""
    if named := [option for option, value in given.items() if value not in (None, False, [])]:
        raise UsageError(f"{', '.join(named)}: not with --figure, which takes --rows and --format; omit it")


def report_figure(
    asked: str,
    folders: Callable[[], Iterable[ResultsFolder]],
    variants: Sequence[str],
    target: Output,
    asked_format: str | None,
) -> None:
    """Write a figure, and say on stderr what it shows and where it lies.

    Args:
        asked: The number of a figure of the paper, or the name of an analysis.
        folders: Returns the results folders that the user named.
        variants: Globs of variants; empty for all.
        target: The file; stdout without a format stands for every format, in the results folder.
        asked_format: The value of ``--format``, or None.

    Raises:
        UsageError: If no analysis draws it, it is no picture's format, or several folders have results of it.
        NothingMeasuredError: If there is nothing to draw.
        StoreError: If a file is damaged.
    """
    from lsbench.rendering.pictures import FORMATS

    find_analysis(asked)
    chosen = target.choose_format(asked_format, lambda: FORMATS)
    is_named = asked_format is not None or not target.is_stdout
    if is_named and chosen not in FORMATS:
        every = ", ".join(end for ends in FORMATS.values() for end in ends)
        raise UsageError(f"--figure {asked}: a picture is one of {every}; name such a file with -o FILE")
    target.check()
    folder, name, panels = find_figure(asked, folders(), variants)
    for line in told(panels):
        typer.echo(f"{name}: {line}", err=True)
    if is_named:
        target.write(draw_figure(name, panels.shown, [chosen])[chosen], what=chosen)
    else:
        tell_written(name, write_figure(folder, name, panels.shown))


def composable() -> dict[str, Analysis]:
    """Return the analyses that compose figures, those of the paper's figures first."""
    from lsbench.core.registry import ANALYSES

    every: dict[str, Analysis] = {name: ANALYSES.load(name) for name in ANALYSES.usable_names()}
    found = {name: one for name, one in every.items() if one.compose is not None}
    return dict(sorted(found.items(), key=lambda pair: (pair[1].figure is None, pair[1].figure or 0)))


def find_analysis(asked: str) -> str:
    """Return the name of the analysis that composes a figure.

    Args:
        asked: The number of a figure of the paper, or the name of an analysis.

    Raises:
        UsageError: If no analysis composes it.
    """
    known = composable()
    for name, analysis in known.items():
        if asked in (name, str(analysis.figure)):
            return name
    there = ", ".join(name if one.figure is None else f"{one.figure} ({name})" for name, one in known.items())
    raise UsageError(f"--figure {asked}: no analysis draws it; there are: {there}")


def find_figure(
    asked: str, folders: Iterable[ResultsFolder], variants: Sequence[str] = ()
) -> tuple[ResultsFolder, str, Panels]:
    """Return the results folder that has a figure, the name of its analysis, and its panels.

    Args:
        asked: As for :func:`find_analysis`.
        folders: The results folders that the user named.
        variants: Globs of variants; empty for all.

    Raises:
        UsageError: If no analysis draws the figure, or several of the folders have results of it.
        NothingMeasuredError: If there is nothing to draw.
        StoreError: If a file is damaged.
    """
    from lsbench.tables.panels import find_panels

    name = find_analysis(asked)
    found = [(folder, find_panels(folder, name, variants)) for folder in folders]
    there = [(folder, panels) for folder, panels in found if panels.shown]
    if len(there) > 1:
        places = ", ".join(folder.place for folder, _ in there)
        raise UsageError(f"--figure {asked}: of one suite and preset; name one of: {places}")
    if not there:
        reasons = [line for _, panels in found for line in panels.left_out]
        has = "the suite analyses has it, or " if composable()[name].task == "classification" else ""
        cure = f"no variant has an analysis `{name}`; {has}add `analyze: {name}`"
        raise NothingMeasuredError(f"--figure {asked}: nothing to draw: {'; '.join(reasons) or cure}")
    return there[0][0], name, there[0][1]


def told(panels: Panels) -> list[str]:
    """Return lines on what a figure shows and what it leaves out."""
    shown = ", ".join(panel.label for panel in panels.shown)
    return ["; ".join([f"shows {shown}", *panels.notes]), *(f"left out: {line}" for line in panels.left_out)]


def draw_figure(name: str, panels: Sequence[ModelPanel], formats: Iterable[str]) -> dict[str, bytes]:
    """Return a composed figure in some formats.

    Raises:
        StoreError: If the stored arrays are not those that it is drawn from.
    """
    from lsbench.rendering.pictures import create_pictures

    compose = composable()[name].compose
    if compose is None:
        raise UsageError(f"{name}: does not compose figures")
    try:
        return create_pictures(lambda figure: compose(panels, figure), name, formats)
    except KeyError as error:
        raise StoreError(
            f"{name}: a result holds no array {error}, as one of another version: run it again with --rerun"
        ) from error


def write_figure(folder: ResultsFolder, name: str, panels: Sequence[ModelPanel]) -> list[Path]:
    """Write a composed figure in every format into the results folder; return the files.

    Raises:
        StoreError: As for :func:`draw_figure`.
    """
    from lsbench.core.atomic import atomic_write
    from lsbench.rendering.pictures import FORMATS
    from lsbench.tables.panels import FIGURES

    number = composable()[name].figure
    stem = name if number is None else f"figure{number}"
    files = []
    for each, content in draw_figure(name, panels, FORMATS).items():
        files.append(folder.root / FIGURES / f"{stem}.{each}")
        with atomic_write(files[-1]) as file:
            file.write(content)
    return files


def tell_figures(folder: ResultsFolder) -> None:
    """Compose all figures that a results folder has arrays for, and say on stderr where they lie."""
    from lsbench.tables.panels import find_panels

    for name in composable():
        try:
            panels = find_panels(folder, name)
            if len(panels.shown) >= LEAST:
                tell_written(name, write_figure(folder, name, panels.shown))
        except LsbenchError as error:
            typer.echo(f"no figure of {name}: {error}", err=True)
        except Exception as error:  # noqa: BLE001 - a run whose jobs are done does not fail for a picture
            typer.echo(f"no figure of {name}: {type(error).__name__}: {error}", err=True)


def tell_written(name: str, files: Sequence[Path]) -> None:
    """Say on stderr where the files of a figure lie."""
    from lsbench.core.next_command import near

    number = composable()[name].figure
    title = name if number is None else f"Figure {number}"
    first, *others = files
    ends = "".join(f", {path.suffix}" for path in others)
    typer.echo(f"{title}: {near(first)}{ends}", err=True)
