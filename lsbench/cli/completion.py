"""Completion in the shell: names for arguments and options, and the requests that typer answers itself.

Where nothing is offered, bash, zsh and fish complete names of files and folders.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lsbench.core.next_command import RESULTS

if TYPE_CHECKING:
    from lsbench.store.results import ResultsFolder

#: The variable by which a shell asks for completions.
ASKED = "_LSBENCH_COMPLETE"
OPTIONS = ("--install-completion", "--show-completion")
YAML = (".yaml", ".yml")

#: The command line so far, and the beginning of a word -> names, of which those with this beginning count.
Names = Callable[[typer.Context, str], Iterable[str]]


def is_completion(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> bool:
    """Return True if typer answers this command line itself, for a shell, and leaves with SystemExit.

    >>> is_completion(["--show-completion"], {})
    True
    """
    return ASKED in environ or any(one.partition("=")[0] in OPTIONS for one in arguments)


def offers(names: Names) -> Callable[[typer.Context, str], list[str]]:
    """Return a completion by some names; whatever goes wrong, a shell is offered nothing and told nothing."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        quiet = io.StringIO()
        with (
            contextlib.redirect_stderr(quiet),
            contextlib.redirect_stdout(quiet),
            contextlib.suppress(Exception),
        ):
            return sorted({name for name in names(ctx, incomplete) if name.startswith(incomplete)})
        return []

    return complete


def of(registry: str) -> Callable[[typer.Context, str], list[str]]:
    """Return a completion by the names of one kind of plug-in.

    Args:
        registry: Name in :mod:`lsbench.core.registry`, such as ``"MIXERS"``.
    """

    def names(ctx: typer.Context, incomplete: str) -> Iterable[str]:
        from lsbench.core import registry as registries

        found: list[str] = getattr(registries, registry).names()
        before, comma, _ = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in found]

    return offers(names)


def suite_names(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the shipped suites, and the user's own files of suites."""
    from lsbench.suite.loader import shipped_suites

    yield from shipped_suites()
    yield from _suite_files(incomplete)


def measured_suites(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the suites with results, and the user's own files of suites."""
    yield from (folder.root.parent.name for folder in _folders(ctx))
    yield from _suite_files(incomplete)


def _suite_files(start: str) -> list[str]:
    """Return YAML files, and folders with some, that begin like a text; a lone folder is looked into."""
    head, tail = os.path.split(start)
    own: list[os.DirEntry[str]] = []
    with contextlib.suppress(OSError), os.scandir(Path(head).expanduser()) as entries:
        own = [one for one in entries if one.name.startswith(tail) and not one.name.startswith(".")]
    files = [os.path.join(head, one.name) for one in own if one.name.endswith(YAML)]
    folders = [os.path.join(head, one.name, "") for one in own if one.is_dir() and _has_suites(one.path)]
    return _suite_files(folders[0]) if len(folders) == 1 and not files else [*files, *folders]


def _has_suites(folder: str) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return any(one.name.endswith(YAML) for one in entries)
    return False


def _folders(ctx: typer.Context) -> list[ResultsFolder]:
    """Return the results that the options so far leave."""
    from lsbench.store.places import find_asked, find_results, of_preset

    results, suite = Path(ctx.params.get("results") or RESULTS), ctx.params.get("suite")
    found = find_results(results) if suite is None else find_asked(suite, results)
    return of_preset(found or [], ctx.params.get("preset"))


def _entries(ctx: typer.Context) -> Iterator[dict[str, Any]]:
    for folder in _folders(ctx):
        yield from (folder.manifest() or {"jobs": []})["jobs"]


def jobs(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the labels of jobs, and the ids that begin like what was typed."""
    for entry in _entries(ctx):
        yield entry["label"]
        if incomplete and entry["id"]:
            yield entry["id"]


def jobs_and_variants(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the labels of jobs and their variants."""
    yield from jobs(ctx, incomplete)
    yield from (entry["variant"] for entry in _entries(ctx))


def models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of models."""
    from lsbench.core.catalog import model_names

    return model_names()


def models_and_trainings(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the names of models, and the labels of trainings."""
    yield from models(ctx, incomplete)
    yield from (entry["label"] for entry in _entries(ctx) if entry["kind"] == "train")


def _suite(ctx: typer.Context) -> str:
    """Return the suite that was typed: before an option without its value, arguments are not assigned yet."""
    found: str = ctx.params.get("suite") or ctx.args[0]
    return found


def presets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the presets of the suite that was typed, or of the results."""
    from lsbench.suite.loader import preset_names

    with contextlib.suppress(Exception):
        return preset_names(_suite(ctx))
    return [folder.root.name for folder in _folders(ctx)]


def parts_of_suite(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the variants, and the names and kinds of the jobs, of the suite that was typed."""
    from lsbench.suite.loader import load_suite

    suite = load_suite(_suite(ctx), preset=ctx.params.get("preset") or "default")
    yield from (variant.name for variant in suite.variants)
    yield from (name for job in suite.jobs for name in (job.name, job.kind))
