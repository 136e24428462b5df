"""Thumbnails of the images that rows and baseline disagree about, written at the end of a run."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsbench.core.errors import LsbenchError
from lsbench.core.next_command import near

if TYPE_CHECKING:
    from lsbench.store.results import ResultsFolder

#: The images of a job: the job as its folder keeps it, and number -> name.
Chosen = tuple[dict[str, Any], dict[int, str]]


def write_thumbnails(folder: ResultsFolder, data: Path | None = None) -> tuple[int, list[str]]:
    """Write the thumbnails that a results folder lacks, and remove those that are no longer chosen.

    No job is run, and torch is not imported.

    Args:
        folder: A results folder.
        data: Folder of large data sets; default: where each evaluation found them.

    Returns:
        The number of thumbnails written, and a line for each data set whose images cannot be read.
    """
    from lsbench.core.atomic import atomic_write
    from lsbench.store.thumbnails import THUMBNAILS, read_thumbnail, thumbnail_file

    try:
        chosen = choose_images(folder)
    except LsbenchError as error:
        return 0, [str(error)]
    written, problems = 0, []
    for key, (job, names) in chosen.items():
        missing = {n: name for n, name in names.items() if read_thumbnail(folder, key, n) is None}
        try:
            for number, content in _created(job, missing, data):
                with atomic_write(thumbnail_file(folder, key, number)) as file:
                    file.write(content)
                written += 1
        except LsbenchError as error:
            problems.append(str(error))
        except Exception as error:  # noqa: BLE001 - a run whose jobs are done does not fail for a picture
            problems.append(f"{type(error).__name__}: {error}")
    with contextlib.suppress(OSError):
        _prune(folder.root / THUMBNAILS, {key: set(names) for key, (_, names) in chosen.items()})
    return written, problems


def tell_thumbnails(folder: ResultsFolder, data: Path | None = None) -> None:
    """Write the thumbnails of a results folder, and say on stderr what came of it."""
    import typer

    from lsbench.store.thumbnails import THUMBNAILS

    written, problems = write_thumbnails(folder, data)
    if written:
        typer.echo(
            f"{near(folder.root / THUMBNAILS)}: {written} thumbnails written, for the HTML report", err=True
        )
    for problem in problems:
        typer.echo(f"no thumbnails of some images: {problem}", err=True)


def choose_images(folder: ResultsFolder) -> dict[str, Chosen]:
    """Return the images that reports of a results folder show, by the key of their thumbnails.

    Raises:
        StoreError: If a file is damaged.
    """
    from lsbench.store.thumbnails import images_key, read_spec
    from lsbench.tables.disagreements import find_disagreements
    from lsbench.tables.frames.load import load_table

    manifest = folder.manifest()
    found: dict[str, Chosen] = {}
    if manifest is None or manifest["baseline"] is None:
        return found
    for one in find_disagreements(folder, load_table([folder]), manifest["baseline"]):
        job = read_spec(folder, one.job_id)
        if job is not None:
            _, names = found.setdefault(images_key(job), (job, {}))
            names |= {image.index: image.name for image in one.images if image.is_named}
    return {key: pair for key, pair in found.items() if pair[1]}


def _created(job: Mapping[str, Any], names: Mapping[int, str], data: Path | None) -> Any:
    if not names:
        return ()
    from lsbench.core.job import data_settings
    from lsbench.data.thumbnails import create_thumbnails
    from lsbench.engine.open_data import OpenData

    own, on = job["variant"]["dataset"], job["spec"].get("on")
    settings = own if on is None else {"img_size": own["img_size"], **data_settings(on)}
    root = job.get("data_root") if data is None else str(data.absolute())
    return create_thumbnails(OpenData(settings, root).folders, job["spec"]["split"], names)


def _prune(root: Path, kept: Mapping[str, set[int]]) -> None:
    """Remove thumbnails that no report shows any more."""
    for of_key in root.iterdir() if root.is_dir() else ():
        if of_key.name not in kept:
            shutil.rmtree(of_key, ignore_errors=True)
            continue
        for path in of_key.glob("*.jpg"):
            if not path.stem.isdigit() or int(path.stem) not in kept[of_key.name]:
                path.unlink(missing_ok=True)
