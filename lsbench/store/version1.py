"""Read the facets of records of schema version 1, which has them only in the protocol text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from lsbench.core.facets import Facets

_SPLITS = ("train", "val", "test")
_Read = Callable[[str], Mapping[str, Any]]


def _number(name: str) -> _Read:
    return lambda text: {name: int(text)}


def _text(name: str) -> _Read:
    return lambda text: {name: text}


def _members(name: str, kind: Callable[[str], Any]) -> _Read:
    return lambda text: {name: tuple(map(kind, text.split("+")))}


def _batch(text: str) -> dict[str, Any]:
    return {"batch_size": text if text == "max" else int(text)}


def _how(text: str) -> dict[str, Any]:
    how, _, graph = text.partition("+")
    return {"compiled": how == "compiled", "cuda_graphs": bool(graph)}


#: Parts of a protocol of version 1, and the facets of each; the first match counts.
_PARTS: tuple[tuple[str, _Read], ...] = (
    ("(train|val|test)", _text("split")),
    ("(last|ema|pretrained|fresh)", _text("weights")),
    ("other=(.+)", _text("other")),
    (r"(\d+)ep", _number("epochs")),
    (r"(?:b|bs|batch)=(\d+|max)", _batch),
    (r"lr=([-+.e\d]+)", lambda text: {"lr": float(text)}),
    ("(fp32|bf16|fp16)", _text("precision")),
    ("(nchw|nhwc)", lambda text: {"channels_last": text == "nhwc"}),
    ("(fused|unfused)", lambda text: {"fused": text == "fused"}),
    (r"((?:eager|compiled)(?:\+graph)?)", _how),
    (r"c(\d+)", _number("corruptions")),
    (r"c=([a-z_+\d]+)", _members("corruptions", str)),
    (r"s(\d+)", _number("severities")),
    (r"s=([+\d]+)", _members("severities", int)),
    (r"res=(\d+)", _number("res")),
    (r"crop=(\d+)", _number("crop")),
    ("(original|imagecorruptions)", _text("family")),
    ("(png)", lambda _: {}),
    (r"jpeg=(\d+)", _number("jpeg_quality")),
    ("ref=(.+)", _text("reference")),
    (r"classes=(\d+)", _number("classes")),
    (r"n=(\d+)", _number("n")),
    ("(cpu|cuda)", _text("device")),
    (r"threads=(\d+)", _number("threads")),
    ("control=(.+)", _text("control")),
    (r"v(\d[.\d]*)", _text("version")),
)
_KNOWN = [(re.compile(pattern), read) for pattern, read in _PARTS]
_EPOCH = re.compile(r"(.*)\|epoch=(\d+)", re.DOTALL)
_CORRUPTION = re.compile(r"(.*)\|corruption=([^|/]*)(?:/(\d+))?", re.DOTALL)
_OTHER = re.compile(r"([a-z_][\w-]*)=(.+)")


@lru_cache(maxsize=100_000)
def facets_of_text(protocol: str) -> Facets:
    """Return the facets in a protocol of version 1; unknown parts are left out.

    >>> facets_of_text("train|4ep|bs=32|lr=0.004|v1|epoch=3").epoch
    3
    >>> facets_of_text("test|ema|res=224|n=50000|v1").weights
    'ema'
    """
    whole, of_part = _split_part(protocol)
    first, *parts = whole.split("|")
    if not _is_method(first, parts):
        first, parts = "", [first, *parts]
    told: dict[str, Any] = {"method": first} if first else {}
    more: dict[str, str] = {}
    for part in parts:
        found = next(((read, match[1]) for known, read in _KNOWN if (match := known.fullmatch(part))), None)
        if found is not None:
            told.update(found[0](found[1]))
        elif other := _OTHER.fullmatch(part):
            more[other[1]] = other[2]
    return Facets(**_with_usual(told), more=more, **of_part)


def _split_part(protocol: str) -> tuple[str, dict[str, Any]]:
    """Return the protocol of the whole job, and the facets of the epoch or corruption."""
    if found := _EPOCH.fullmatch(protocol):
        return found[1], {"epoch": int(found[2])}
    if found := _CORRUPTION.fullmatch(protocol):
        severity = None if found[3] is None else int(found[3])
        return found[1], {"corruption": found[2], "severity": severity}
    return protocol, {}


def _is_method(first: str, parts: list[str]) -> bool:
    """Return whether the first part names a method; an evaluation begins with its split.

    A training and an evaluation on the training images begin with the same word.
    """
    if first == "train":
        return not any(part.startswith(("res=", "n=")) for part in parts)
    return first not in _SPLITS and "=" not in first


def _with_usual(told: dict[str, Any]) -> dict[str, Any]:
    """Return the given facets, with the defaults that the text leaves out: test images, last weights."""
    usual = {"split": "test"} if "corruptions" in told else {}
    if "split" in told or usual:
        usual["weights"] = "last"
    return {**usual, **told}
