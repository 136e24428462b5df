"""Weights and cfg of models that are named by a hub or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from timm.models import load_model_config_from_hf
from timm.models._hub import load_model_config_from_path

from lsbench.core.errors import ConfigError
from lsbench.core.model_sources import CONFIG, HUB, WEIGHTS_FILES, folder_of, read_config, weights_in


def read_cfg(name: str) -> tuple[str, dict[str, Any]]:
    """Return the architecture of a model and the cfg of its weights; a hub's ``config.json`` is fetched.

    Raises:
        ConfigError: If there is none.
    """
    if name.startswith(HUB):
        try:
            cfg, architecture, _ = load_model_config_from_hf(name.removeprefix(HUB))
        except Exception as error:  # the client's own errors, and those of the network
            raise _unreachable(name, f"its {CONFIG}", error) from error
    else:
        read_config(name)
        cfg, architecture, _ = load_model_config_from_path(folder_of(name))
    return architecture, cfg


def fetch_weights(name: str) -> Path:
    """Return the file with a model's weights; a hub's is fetched once, safetensors if there are any.

    Raises:
        ConfigError: If there is none.
    """
    if not name.startswith(HUB):
        found = weights_in(folder_of(name))
        if found is None:
            raise ConfigError(
                f"model '{name}': expected a file of weights such as {WEIGHTS_FILES[0]}, found none"
            )
        return found
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    repository, _, revision = name.removeprefix(HUB).partition("@")
    for file in WEIGHTS_FILES:
        try:
            return Path(hf_hub_download(repository, file, revision=revision or None))
        except EntryNotFoundError:
            continue
        except Exception as error:  # the client's own errors, and those of the network
            raise _unreachable(name, "its weights", error) from error
    raise ConfigError(f"model '{name}': expected one of {', '.join(WEIGHTS_FILES)} there, found none")


def _unreachable(name: str, what: str, error: Exception) -> ConfigError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ConfigError(f"model '{name}': {what} cannot be fetched: {first}")
