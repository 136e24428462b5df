"""Expand a variant entry with a matrix into one entry per combination."""

from __future__ import annotations

import itertools
from typing import Any

from lsbench.suite.marked_yaml import MarkedDict, MarkedList, merge


def expand_variants(entries: list[Any]) -> MarkedList:
    """Return `entries` with each ``matrix`` replaced by its combinations, in the order written.

    The name of a combination is the entry's ``name`` filled in as a template, or the values joined
    with ``-``. Malformed entries are passed on unchanged: the schema check reports them.
    """
    expanded = MarkedList()
    lines = entries.lines if isinstance(entries, MarkedList) else [1] * len(entries)
    for entry, line in zip(entries, lines, strict=True):
        for variant in _combinations(entry) if _has_matrix(entry) else [entry]:
            expanded.append(variant)
            expanded.lines.append(line)
    return expanded


def _has_matrix(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("matrix"), dict):
        return False
    return all(isinstance(values, list) for values in entry["matrix"].values())


def _combinations(entry: dict[str, Any]) -> list[MarkedDict]:
    axes: dict[str, list[Any]] = entry["matrix"]
    excluded = entry.get("exclude") or []
    found = []
    for values in itertools.product(*axes.values()):
        point = dict(zip(axes, values, strict=True))
        if any(isinstance(rule, dict) and rule.items() <= point.items() for rule in excluded):
            continue
        found.append(_variant(entry, point))
    return found


def _variant(entry: dict[str, Any], point: dict[str, Any]) -> MarkedDict:
    variant = MarkedDict({k: v for k, v in entry.items() if k not in ("matrix", "exclude")})
    if isinstance(entry, MarkedDict):
        variant.line, variant.lines = entry.line, dict(entry.lines)
    for axis, value in point.items():
        variant = merge(variant, _nested(axis.split("."), value))
    variant["name"] = _name(entry.get("name"), point)
    return variant


def _nested(path: list[str], value: Any) -> MarkedDict:
    head, *rest = path
    return MarkedDict({head: _nested(rest, value) if rest else value})


def _name(template: Any, point: dict[str, Any]) -> Any:
    words = {axis.rsplit(".", 1)[-1]: _word(value) for axis, value in point.items()}
    if template is None:
        return "-".join(words.values())
    try:
        return str(template).format_map(words)
    except (KeyError, IndexError, ValueError):
        return template  # the braces fail the pattern of names, with file and line


def _word(value: Any) -> str:
    return str(value.get("name", value)) if isinstance(value, dict) else str(value)
