"""Small pictures of images that models disagree about, kept in a results folder for its reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsbench.core.ids import content_hash
from lsbench.store.results import SPEC, ResultsFolder

#: The folder of thumbnails in a results folder.
THUMBNAILS = "thumbnails"
_MAGIC = b"\xff\xd8\xff"


def read_spec(folder: ResultsFolder, job_id: str) -> dict[str, Any] | None:
    """Return the job as its folder keeps it, or None if it does not."""
    try:
        found = json.loads((folder.job_folder(job_id) / SPEC).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def images_key(job: Mapping[str, Any]) -> str:
    """Return a name for the images that an evaluation has seen; jobs with equal data settings share it."""
    own, spec = job["variant"]["dataset"], job["spec"]
    return content_hash([own, spec.get("on"), spec.get("split"), job.get("dataset_fingerprint")])


def thumbnail_file(folder: ResultsFolder, key: str, index: int) -> Path:
    """Return the file of the thumbnail of image `index`."""
    return folder.root / THUMBNAILS / key / f"{index}.jpg"


def read_thumbnail(folder: ResultsFolder, key: str, index: int) -> bytes | None:
    """Return the JPEG of image `index`, or None if there is none."""
    try:
        content = thumbnail_file(folder, key, index).read_bytes()
    except OSError:
        return None
    return content if content.startswith(_MAGIC) else None
