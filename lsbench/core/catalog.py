"""Names and costs of models, known without importing them.

Both come from ``lsbench/core/catalog.json``, which ``python -m lsbench.cli.catalog`` rewrites. If the
installed version of timm is not the one that the catalog was written with, its names are read from its
source files.
Other packages declare the names of their models through entry points: ``lsbench.models`` for single models,
``lsbench.families`` for families that take a token mixer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lsbench.core.entry_points import describe_entry, literal_constant, outside_plugins
from lsbench.core.errors import PluginError
from lsbench.core.ids import canonical_json
from lsbench.core.job import ShownSize
from lsbench.core.model_sources import FOLDER, HUB, architecture_of, is_sourced, source_problem
from lsbench.core.registry import FAMILIES, MIXERS, MODELS, PACKAGE_ROOT, suggest

#: The mixer of a pluggable model when none is named.
DEFAULT_MIXER = "ls_conv"
#: Arguments of a model that name its weights and so do not change its cost.
WEIGHTS = ("pretrained", "checkpoint", "checkpoint_weights")


@cache
def read_catalog() -> dict[str, Any]:
    """Return the catalog as shipped.

    Returns:
        ``timm``: the version of timm that the names are from; ``models``: every name, sorted; ``pluggable``:
        the models that take a token mixer; ``tags``: the tags of each model's weights, with blanks between;
        ``macs``: MACs per image by :func:`macs_key`, and ``macs_paper`` those of fused rows of the shipped
        suites; ``folded``: the models of which fusing folds batch
        normalisations pair by pair, those with a mixer as ``model/mixer``; ``fixed``: the models that only
        take images of the size that they were built for; ``bound``: those whose weights fit at their own size
        alone; ``least``: the least size of those that have one; ``sizes``: the size of the images of weights,
        of a model and of those of its tags that differ, where it is not 224; 0 if they are not square.
    """
    text = (PACKAGE_ROOT / "core" / "catalog.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def model_names() -> list[str]:
    """Return the names of all models: first those that take a token mixer, then all others."""
    pluggable = pluggable_models()
    others = {*read_catalog()["models"], *timm_models(), *MODELS.names()} - set(pluggable)
    return [*pluggable, *sorted(others)]


def pluggable_models() -> list[str]:
    """Return the names of the models that take a token mixer, lsbench's own first."""
    own = list(read_catalog()["pluggable"])
    return [*own, *(name for name in outside_family_models() if name not in own)]


def unknown_model(name: str) -> str | None:
    """Return a one-line message if a suite cannot use a model `name`, else None."""
    try:
        if is_sourced(name):
            return _source_problem(name)
        return None if is_model(name) else _unknown(name)
    except PluginError as error:
        return str(error)


def _source_problem(name: str) -> str | None:
    """Return what is wrong with a model that is named by a hub or a folder, or None."""
    if problem := source_problem(name):
        return problem
    architecture = architecture_of(name)
    if is_sourced(architecture) or is_model(architecture):
        return None
    return f"model '{name}': {unknown_model(architecture)}"


def is_model(name: str) -> bool:
    """Return whether lsbench, timm or another package has a model `name`, with a tag of weights or without.

    Raises:
        PluginError: If two of them do, or a family cannot be read.
    """
    name, _, tag = name.partition(".")
    outside = MODELS.problem(name) if name in MODELS.names() else None
    if outside is not None:
        raise PluginError(outside)
    is_ours = name in read_catalog()["models"] or name in timm_models()
    if is_ours and tag and (known := weight_tags(name)) is not None and tag not in known:
        return False
    owners = ["lsbench or timm"] if is_ours else []
    owners += [describe_entry(entry) for entry in outside_plugins(MODELS.group).get(name, ())]
    family = outside_family_models().get(name)
    owners += [] if family is None else [describe_entry(outside_plugins(FAMILIES.group)[family][0])]
    if len(owners) > 1:
        raise PluginError(f"model '{name}' is offered twice: by {' and by '.join(owners)}; rename one")
    return bool(owners)


def _unknown(name: str) -> str:
    model, _, tag = name.partition(".")
    if tag and is_model(model):
        known = weight_tags(model) or ()
        there = f"its tags: {', '.join(known)}" if known else "it has none"
        return f"model '{model}' has no weights with the tag '{tag}'{suggest(tag, known)}; {there}"
    if re.search(r"[:/\\]", name):
        return (
            f"unknown model '{name}': a model is not named by an address or a path; give its name, see "
            "`lsbench list models`, and its weights as model_args: {checkpoint: FILE}, or name "
            f"{HUB}OWNER/NAME or {FOLDER}FOLDER"
        )
    broken = [problem for problem in map(_family_problem, FAMILIES.outside_names()) if problem]
    hint = suggest(name, model_names()) or "; see `lsbench list models`"
    return "; ".join([f"unknown model '{name}'{hint}", *broken])


def outside_family_models() -> dict[str, str]:
    """Return the models of families from other packages, mapped to their family; nothing is imported."""
    return {
        model: family
        for family in FAMILIES.outside_names()
        if _family_problem(family) is None
        for model in _family_models(family)
    }


def _family_models(family: str) -> tuple[str, ...]:
    return tuple(literal_constant(outside_plugins(FAMILIES.group)[family][0], FAMILIES.attribute) or ())


def _family_problem(family: str) -> str | None:
    """Return one line that says why the models of an outside family are unknown, or None."""
    if problem := FAMILIES.problem(family):
        return problem
    entry = outside_plugins(FAMILIES.group)[family][0]
    broken = FAMILIES.promise.broken_by(literal_constant(entry, FAMILIES.attribute))
    if broken is None:
        return None
    return (
        f"model family '{family}' ({describe_entry(entry)}): expected its module to set "
        f"{FAMILIES.attribute} to a literal tuple of names, which is read without importing it"
    )


@cache
def timm_models() -> frozenset[str]:
    """Return the names that the installed timm registers, if the catalog is of another version of timm.

    They are read from timm's source files, without importing it.
    """
    if _timm_version() in (None, read_catalog().get("timm")):
        return frozenset()
    spec = find_spec("timm")
    places = spec.submodule_search_locations if spec else None
    return registered_models(Path(next(iter(places))) / "models") if places else frozenset()


def weight_tags(model: str) -> tuple[str, ...] | None:
    """Return the tags of a model's published weights, sorted; None if the catalog is of another timm."""
    is_known = _timm_version() == read_catalog().get("timm")
    return tuple(read_catalog().get("tags", {}).get(model, "").split()) if is_known else None


def _timm_version() -> str | None:
    try:
        return version("timm")
    except PackageNotFoundError:
        return None


def registered_models(folder: Path) -> frozenset[str]:
    """Return the names of the functions in `folder` that are decorated with ``@register_model``."""
    pattern = re.compile(r"^@register_model\b.*\n(?:@.*\n)*def (\w+)", re.MULTILINE)
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*.py"))
    return frozenset(name for text in texts for name in pattern.findall(text))


def macs_key(identity: Mapping[str, Any], img_size: int, *, is_pluggable: bool) -> str:
    """Return the catalog's key of a model and everything that changes its MACs.

    Args:
        identity: ``model`` and, if given, ``mixer``, ``mixer_args`` and ``model_args``.
        img_size: Height and width of the images in pixels.
        is_pluggable: Whether the model takes a token mixer.

    >>> macs_key({"model": "lsnet_t", "mixer_args": {"kernel_large": 5}}, 224, is_pluggable=True)
    'lsnet_t@224/ls_conv{"mixer_args":{"kernel_large":5}}'
    """
    args = {key: value for key, value in (identity.get("model_args") or {}).items() if key not in WEIGHTS}
    mixer = f"/{identity.get('mixer') or DEFAULT_MIXER}" if is_pluggable else ""
    given = {"mixer_args": identity.get("mixer_args"), "model_args": args}
    options = {key: value for key, value in given.items() if value}
    return f"{identity['model']}@{img_size}{mixer}{canonical_json(options) if options else ''}"


def counted_macs(identity: Mapping[str, Any], img_size: int) -> int | None:
    """Return the MACs of one image as counted on the model itself, or None if they were never counted.

    Args:
        identity: As returned by :meth:`lsbench.core.job.Variant.model_identity`.
        img_size: Height and width of the image in pixels.
    """
    identity = {**identity, "model": architecture_of(identity["model"])}
    is_pluggable = identity["model"] in read_catalog()["pluggable"]
    found = read_catalog()["macs"].get(macs_key(identity, img_size, is_pluggable=is_pluggable))
    return None if found is None else int(found)


#: Side in pixels of the images of most published weights.
USUAL_SIZE = 224
#: Taken for the MACs of a model that the catalog does not know.
UNKNOWN_MACS = 1e9


def known_macs(identity: Mapping[str, Any], img_size: int) -> float | None:
    """Return the approximate MACs of one image, or None if the catalog holds nothing similar.

    A count at another image size is scaled by area, as convolutions are, and options of the mixer that were
    not counted are ignored: an estimate for planning, never a result.
    """
    exact = counted_macs(identity, img_size)
    if exact is not None:
        return float(exact)
    identity = {**identity, "model": architecture_of(identity["model"])}
    for near in (identity, {**identity, "mixer_args": {}}):
        for size in _counted_sizes(identity["model"]):
            found = counted_macs(near, size)
            if found is not None:
                return found * (img_size / size) ** 2
    return None


def may_be_folded(identity: Mapping[str, Any]) -> bool:
    """Return whether fusing a model folds batch normalisations pair by pair, beyond what its own code fuses.

    True for a model or mixer that the catalog does not know.

    Args:
        identity: As returned by :meth:`lsbench.core.job.Variant.model_identity`.
    """
    model = architecture_of(identity["model"]).partition(".")[0]
    if model not in read_catalog()["models"]:
        return True
    if model not in read_catalog()["pluggable"]:
        return model in _folded()
    mixer = identity.get("mixer") or DEFAULT_MIXER
    return mixer not in MIXERS.own_names() or f"{model}/{mixer}" in _folded()


@cache
def _folded() -> frozenset[str]:
    return frozenset(read_catalog()["folded"])


def size_problem(model: str, shown: ShownSize) -> str | None:
    """Return why a model cannot run on images of a size, or None if it can, as far as the catalog knows.

    Args:
        model: Its name.
        shown: The size of the images, and of those that the model is built for.
    """
    name = architecture_of(model).partition(".")[0]
    least = read_catalog()["least"].get(name, 0)
    if shown.size < least:
        return f"'{model}' takes images of at least {least} px, not {shown.size} px"
    if shown.built_for != shown.size and name in read_catalog()["fixed"]:
        return f"'{model}' built for {shown.built_for} px takes no images of {shown.size} px"
    own = weights_size(model)
    if shown.has_weights and own not in (None, shown.built_for) and name in read_catalog()["bound"]:
        return f"the weights of '{model}' are for images of {own} px and do not fit it at {shown.size} px"
    return None


def weights_size(model: str) -> int | None:
    """Return the side in pixels of the images that a model's published weights are made for.

    None if the catalog does not know the model, or the images are not square.
    """
    name, _, tag = model.partition(".")
    if is_sourced(model) or name not in read_catalog()["models"]:
        return None
    sizes = read_catalog()["sizes"]
    return sizes.get(f"{name}.{tag}", sizes.get(name, USUAL_SIZE)) or None


@cache
def _counted_sizes(model: str) -> tuple[int, ...]:
    keys = [key.removeprefix(f"{model}@") for key in read_catalog()["macs"] if key.startswith(f"{model}@")]
    sizes = {int(key.split("/", 1)[0].split("{", 1)[0]) for key in keys}
    return tuple(sorted(sizes))
