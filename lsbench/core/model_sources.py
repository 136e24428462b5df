"""Models named by a hub or a folder, as timm writes it: ``hf-hub:OWNER/NAME`` and ``local-dir:FOLDER``.

Such a place holds ``config.json``, which names the architecture and the cfg of the weights, and the weights.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from lsbench.core.checkpoint_kinds import checkpoint_content
from lsbench.core.errors import ConfigError, DataError
from lsbench.core.ids import content_hash

HUB, FOLDER = "hf-hub:", "local-dir:"
CONFIG = "config.json"
#: Names of a file of weights in timm's order; then the first with one of these endings.
WEIGHTS_FILES = (
    *("model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth"),
    *("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"),
    *("open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth"),
)
WEIGHTS_ENDINGS = (".safetensors", ".pth", ".pth.tar", ".bin")
_REVISION = re.compile(r"[0-9a-f]{40}")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w./-]+)?")


def is_sourced(name: str) -> bool:
    """Return whether a model's name is that of a hub or a folder.

    >>> is_sourced("local-dir:/models/a"), is_sourced("resnet50.a1_in1k")
    (True, False)
    """
    return name.startswith((HUB, FOLDER))


def architecture_of(name: str) -> str:
    """Return the name of a model's architecture: without a tag of weights, or as a folder tells it.

    Of a hub it is unknown without asking; then the name comes back.

    >>> architecture_of("resnet50.a1_in1k")
    'resnet50'
    """
    if name.startswith(FOLDER):
        try:
            return str(read_config(name)["architecture"])
        except ConfigError:
            return name
    return name if is_sourced(name) else name.partition(".")[0]


def row_name(name: str) -> str:
    """Return a model's name in letters that a row of a suite may have.

    >>> row_name("hf-hub:timm/resnet18.a1_in1k@main")
    'resnet18.a1_in1k-main'
    """
    last = name.rstrip("/").rsplit("/", 1)[-1] if is_sourced(name) else name
    return re.sub(r"[^A-Za-z0-9_.+=,-]", "-", last)


def source_problem(name: str) -> str | None:
    """Return one line that says why a model cannot be named like this, or None.

    Args:
        name: A name for which :func:`is_sourced` holds. A hub is not asked.
    """
    if name.startswith(HUB):
        if _HUB_NAME.fullmatch(name.removeprefix(HUB)):
            return None
        return f"model '{name}': expected {HUB}OWNER/NAME, or {HUB}OWNER/NAME@REVISION"
    try:
        read_config(name)
    except ConfigError as error:
        return str(error)
    return None


def read_config(name: str) -> dict[str, Any]:
    """Return the content of ``config.json`` of a folder.

    Raises:
        ConfigError: If the folder has none, or it names no architecture.
    """
    file = folder_of(name) / CONFIG
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model '{name}': expected a folder with a {CONFIG} as timm writes it, cannot read {file}"
        ) from error
    if not isinstance(found, dict) or not isinstance(found.get("architecture"), str):
        raise ConfigError(f"model '{name}': expected 'architecture: NAME' in {file}, found none")
    return found


def folder_of(name: str) -> Path:
    """Return the folder that a name starting with ``local-dir:`` points to."""
    return Path(name.removeprefix(FOLDER)).expanduser()


def weights_in(folder: Path) -> Path | None:
    """Return the file of weights in a folder, as timm chooses it, or None."""
    named = (folder / name for name in WEIGHTS_FILES)
    others = (path for ending in WEIGHTS_ENDINGS for path in sorted(folder.glob(f"*{ending}")))
    return next((path for path in (*named, *others) if path.is_file()), None)


def weights_content(place: str) -> str:
    """Return the content of what a suite names: a file of weights, a folder, or a hub's repository.

    Of a folder it is that of its config and weights, of a repository the hash of its revision.

    Raises:
        DataError: If it is missing or cannot be reached.
    """
    if place.startswith(HUB):
        return hub_revision(place)
    if not place.startswith(FOLDER):
        return checkpoint_content(place)
    folder = folder_of(place)
    files = [folder / CONFIG, *(path for path in (weights_in(folder),) if path)]
    return content_hash([(path.name, checkpoint_content(str(path))) for path in files], length=64)


def hub_revision(name: str) -> str:
    """Return the hash of the revision that a name starting with ``hf-hub:`` means now.

    Without a connection it is the one that was fetched last.

    Raises:
        DataError: If the hub cannot be reached and nothing was fetched before.
    """
    repository, _, asked = name.removeprefix(HUB).partition("@")
    if _REVISION.fullmatch(asked):
        return asked
    try:
        from huggingface_hub import HfApi

        return str(HfApi().repo_info(repository, revision=asked or None).sha)
    except Exception as error:  # the client's own errors, and those of the network
        from huggingface_hub.constants import HF_HUB_CACHE

        kept = Path(HF_HUB_CACHE, f"models--{repository.replace('/', '--')}", "refs", asked or "main")
        if kept.is_file():
            return kept.read_text(encoding="utf-8").strip()
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"model '{name}': cannot be reached ({reason})") from error


def pinned(name: str, contents: dict[str, str]) -> str:
    """Return a model's name with the revision that a job's plan found.

    Args:
        name: A model.
        contents: Content of each place that a job names.

    >>> pinned("hf-hub:timm/a", {"hf-hub:timm/a": "0" * 4})
    'hf-hub:timm/a@0000'
    """
    if not name.startswith(HUB) or name not in contents:
        return name
    return f"{name.partition('@')[0]}@{contents[name]}"
