"""The verb ``clean``: remove what results no longer need."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lsbench.cli.options import RESULTS, JsonOpt, PresetOfJobOpt, ResultsOpt, SuitesArg, results_folders
from lsbench.core.counted import counted
from lsbench.core.errors import StoreError
from lsbench.core.next_command import near

if TYPE_CHECKING:
    from lsbench.store.cleaning import Removable
    from lsbench.store.results import ResultsFolder

TITLES = {
    "checkpoints": "step checkpoints of finished trainings",
    "jobs": "jobs that the suite no longer expects",
    "caches": "caches",
}
#: Jobs beyond these are only counted.
MOST_NAMED = 20


def clean(
    suite: SuitesArg = None,
    results: ResultsOpt = RESULTS,
    preset: PresetOfJobOpt = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it, instead of only showing it.")] = False,
    as_json: JsonOpt = False,
) -> None:
    """Show what results no longer need and the room it takes, or remove it with --yes.

    That is: step checkpoints of finished trainings, folders of jobs that their suite no longer expects, and
    caches. Numbers, the last weights of the suite's jobs and unfinished trainings always stay.
    """
    from lsbench.core.quantity import from_bytes
    from lsbench.rendering.console import fitted
    from lsbench.store.cleaning import with_rechecks

    total, problems = 0, []
    for folder in (inner for one in results_folders(suite, preset, results) for inner in with_rechecks(one)):
        left = _left_alone(folder, yes)
        found: list[Removable] = []
        try:
            found = [] if left else _found(folder, yes)
        except StoreError as error:
            left = str(error)
            problems.append(left)
        total += sum(one.size for one in found)
        lines = map(fitted, _lines(folder, found, left))
        for line in [json.dumps(_fields(folder, found, yes, left))] if as_json else lines:
            typer.echo(line)
    told = f"{'freed' if yes else 'would free'} {from_bytes(total)}"
    typer.echo(told if yes or not total else f"{told}; nothing is removed without --yes", err=as_json)
    if problems:
        raise StoreError("\n".join(problems))


def _left_alone(folder: ResultsFolder, yes: bool) -> str:
    """Return why nothing of a folder would be removed, or an empty text; with `yes`, its lock tells."""
    from lsbench.core.lock import is_held
    from lsbench.store.cleaning import is_behind_link

    if is_behind_link(folder):
        return "left alone: it lies behind a link, which is not followed"
    return "left alone: a run uses it" if not yes and is_held(folder.lock_file) else ""


def _found(folder: ResultsFolder, yes: bool) -> list[Removable]:
    """Return what was removed from a folder, or what would be.

    Raises:
        StoreError: If the folder is damaged or, with `yes`, something is in use or cannot be removed.
    """
    from lsbench.store.cleaning import find_removable, remove

    return remove(folder) if yes else find_removable(folder)


def _lines(folder: ResultsFolder, found: Sequence[Removable], left: str) -> Iterator[str]:
    from lsbench.core.quantity import from_bytes
    from lsbench.store.cleaning import Waste

    yield f"{near(folder.root)}: {left or ('' if found else 'nothing to remove')}".rstrip()
    for waste in Waste:
        own = [one for one in found if one.waste is waste]
        if not own:
            continue
        what = counted(len(own), "folder" if waste is Waste.JOBS else "file")
        yield f"  {TITLES[waste]}: {what}, {from_bytes(sum(one.size for one in own))}"
        if waste is Waste.JOBS:
            for one in own[:MOST_NAMED]:
                yield f"    {one.job_id}  {one.label or 'unknown'}, {from_bytes(one.size)}"
            if len(own) > MOST_NAMED:
                yield f"    and {len(own) - MOST_NAMED} more"


def _fields(folder: ResultsFolder, found: Sequence[Removable], yes: bool, left: str) -> dict[str, Any]:
    from lsbench.store.cleaning import Waste

    classes = {
        waste.value: {
            "count": len(own),
            "bytes": sum(one.size for one in own),
            "paths": [str(one.path) for one in own],
        }
        for waste in Waste
        for own in [[one for one in found if one.waste is waste]]
    }
    total = sum(one.size for one in found)
    return {
        "folder": str(folder.root),
        "is_removed": yes,
        "bytes": total,
        **classes,
        "left_alone": left or None,
    }
