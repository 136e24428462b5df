"""Regenerate ``catalog.json``: names, sizes and fusing of all models, MACs of ours and of the suites' rows.

Planning reads it without importing torch. Run ``python -m lsbench.cli.catalog`` after adding a mixer, a
model or a row of a shipped suite, changing a size or how models are fused, or moving to another version of
timm.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import timm
import torch

from lsbench.cli.model_sizes import bound_models, sizes
from lsbench.core.catalog import WEIGHTS, macs_key, read_catalog
from lsbench.core.errors import ConfigError, ExitCode
from lsbench.core.registry import MIXERS, PACKAGE_ROOT
from lsbench.models.conv_norm_pairs import is_batch_norm
from lsbench.models.factory import PLUGGABLE_MODELS, create_model
from lsbench.models.fusion import fuse, unfused_norms
from lsbench.models.macs import count_macs
from lsbench.suite.loader import load_suite, preset_names, shipped_suites

CATALOG = PACKAGE_ROOT / "core" / "catalog.json"
NUM_CLASSES = 1000

#: Everything that changes a model's cost: the result of ``Variant.model_identity``, and the image size.
Setting = tuple[Mapping[str, Any], int]


def default_img_size(name: str) -> int:
    """Return the default image size of one of lsbench's models, in pixels."""
    cfg: Any = timm.get_pretrained_cfg(name)
    return int(cfg.input_size[-1])


def setting_key(setting: Setting) -> str:
    """Return the catalog's key of a setting.

    >>> setting_key(({"model": "lsnet_t", "mixer": "identity"}, 224))
    'lsnet_t@224/identity'
    """
    identity, size = setting
    return macs_key(identity, size, is_pluggable=identity["model"] in PLUGGABLE_MODELS)


def measure_macs(setting: Setting, *, is_fused: bool = False) -> int:
    """Return the MACs of one image with three channels and 1000 classes, of the model as trained or fused."""
    identity, size = setting
    args = {key: value for key, value in identity.get("model_args", {}).items() if key not in WEIGHTS}
    model = create_model(
        identity["model"],
        mixer=identity.get("mixer"),
        mixer_args=identity.get("mixer_args"),
        num_classes=NUM_CLASSES,
        img_size=size,
        **args,
    )
    return count_macs(fuse(model) if is_fused else model, (3, size, size)).total


def family_settings() -> Iterator[Setting]:
    """Yield every model that takes a mixer with every mixer, at the model's default image size."""
    for name in PLUGGABLE_MODELS:
        for mixer in MIXERS.own_names():
            yield {"model": name, "mixer": mixer}, default_img_size(name)


def suite_settings(suite: str) -> Iterator[Setting]:
    """Yield the setting of every row of every preset of a shipped suite.

    Raises:
        ConfigError: If the suite names something unknown.
    """
    for preset in preset_names(suite):
        for variant in load_suite(suite, preset=preset).variants:
            yield variant.model_identity(), int(variant.dataset["img_size"])


def weight_tags() -> dict[str, str]:
    """Return the tags of the weights that timm offers: model -> tags with blanks between."""
    tags: dict[str, set[str]] = {}
    for name in timm.list_pretrained():
        model, _, tag = name.partition(".")
        if tag:
            tags.setdefault(model, set()).add(tag)
    return {model: " ".join(sorted(found)) for model, found in sorted(tags.items())}


def is_folded(name: str, mixer: str | None = None) -> bool:
    """Return whether fusing a model, built without memory, folds batch normalisations pair by pair."""
    size = default_img_size(name)
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about weights that are drawn into no memory
        model = create_model(name, mixer=mixer, num_classes=NUM_CLASSES, img_size=size)
        return any(map(is_batch_norm, model.modules())) and unfused_norms(fuse(model)) is not None


def folded_models(names: Iterable[str]) -> Iterator[str]:
    """Yield the names of those models that are folded, of a model with a mixer as ``model/mixer``."""
    for name in names:
        if name not in PLUGGABLE_MODELS:
            yield from [name] if is_folded(name) else []
        else:
            yield from (f"{name}/{mixer}" for mixer in MIXERS.own_names() if is_folded(name, mixer))


def write_catalog(
    macs: Mapping[str, int],
    macs_paper: Mapping[str, int],
    *,
    folded: Iterable[str],
    bound: Iterable[str],
) -> None:
    """Write names, sizes and costs to the catalog, and reload it in this process."""
    names = {
        "timm": timm.__version__,
        "pluggable": sorted(PLUGGABLE_MODELS),
        "models": sorted({*PLUGGABLE_MODELS, *timm.list_models()}),
        "tags": weight_tags(),
        **sizes(),
        "bound": sorted(bound),
        "folded": sorted(folded),
    }
    costs = {"macs": macs, "macs_paper": macs_paper}
    CATALOG.write_text(json.dumps({**names, **costs}, indent=1) + "\n", encoding="utf-8")
    read_catalog.cache_clear()


def main() -> int:
    """Write the catalog, in half an hour. Models that cannot be counted go to stderr, and the code is 2."""
    known = read_catalog()
    # A suite can name a new model only when its name is known.
    tried = {name: known[name] for name in ("folded", "bound")}
    write_catalog(known["macs"], known["macs_paper"], **tried)
    families, rows, problems = list(family_settings()), list[Setting](), list[str]()
    for suite in shipped_suites():
        try:
            rows += suite_settings(suite)
        except ConfigError as error:
            problems += error.problems
    macs = _measured([*families, *rows], problems)
    write_catalog(
        macs,
        _measured(rows, problems, is_fused=True),
        folded=folded_models(read_catalog()["models"]),
        bound=bound_models(),
    )
    for problem in problems:
        print(problem, file=sys.stderr)
    return ExitCode.USAGE if problems else ExitCode.OK


def _measured(settings: Iterable[Setting], problems: list[str], *, is_fused: bool = False) -> dict[str, int]:
    """Return the MACs of settings by key; what cannot be counted is noted in `problems`."""
    found: dict[str, int] = {}
    for key, setting in sorted({setting_key(setting): setting for setting in settings}.items()):
        try:
            found[key] = measure_macs(setting, is_fused=is_fused)
        except (ConfigError, RuntimeError) as error:
            problems.append(f"{key}: {error}")
    return found


if __name__ == "__main__":
    sys.exit(main())
