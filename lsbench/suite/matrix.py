"""Expand a variant entry with a matrix into one entry per combination."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from lsbench.core.plain_text import shown
from lsbench.core.registry import suggest
from lsbench.suite.marked_yaml import MarkedDict, MarkedList, merge
from lsbench.suite.problems import Location, Problems

#: The largest number of rows of a suite.
MAX_ROWS = 2_000
_NO_AXES = ("name", "matrix", "exclude")
_WORD = re.compile(r"\{([^{}]*)\}")


def expand_variants(entries: list[Any], problems: Problems) -> MarkedList:
    """Return `entries` with each ``matrix`` replaced by its combinations, in the order written.

    The name of a combination is the entry's ``name`` filled in as a template, or the values joined
    with ``-``. Malformed entries are passed on unchanged: the schema check reports them.

    Args:
        entries: The list ``variants`` of a suite.
        problems: Where wrong axes, exclusions and templates are noted.
    """
    expanded = MarkedList()
    lines = entries.lines if isinstance(entries, MarkedList) else [1] * len(entries)
    for index, (entry, line) in enumerate(zip(entries, lines, strict=True)):
        rows = _rows(entry, ("variants", index), problems, room=MAX_ROWS - len(expanded))
        expanded += rows
        expanded.lines += [line] * len(rows)
    return expanded


def _rows(entry: Any, where: Location, problems: Problems, *, room: int) -> list[Any]:
    if isinstance(entry, dict) and "exclude" in entry and entry.get("matrix") is None:
        problems.add((*where, "exclude"), "there is no matrix to leave combinations out of")
    if not _has_matrix(entry):
        return [entry]
    axes: dict[str, list[Any]] = entry["matrix"]
    if not _check_axes(axes, (*where, "matrix"), problems, room=room):
        return []
    words = _Words(axes)
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    left = _without_excluded(points, entry.get("exclude") or [], words, (*where, "exclude"), problems)
    names = _names(entry.get("name"), left, words, (*where, "name"), problems)
    return [_variant(entry, point, name) for point, name in zip(left, names, strict=True)]


def _has_matrix(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("matrix"), dict):
        return False
    return all(isinstance(values, list) for values in entry["matrix"].values())


def _check_axes(axes: dict[str, list[Any]], where: Location, problems: Problems, *, room: int) -> bool:
    """Note what is wrong with the axes of a matrix, and return whether it can be expanded."""
    known = len(problems)
    if not axes:
        problems.add(where, "expected at least one axis, e.g. {mixer: [ls_conv, identity]}")
    for axis, values in axes.items():
        if axis.split(".")[0] in _NO_AXES:
            problems.add((*where, axis), "cannot be an axis")
        if not all(axis.split(".")):
            problems.add((*where, axis), "expected a key, or keys joined by dots: mixer_args.kernel_large")
        if outer := next((outer for outer in axes if _sets(axes[outer], outer, axis)), None):
            problems.add((*where, axis), f"values of the axis '{outer}' set the same key: leave one out")
        if not values:
            problems.add((*where, axis), "expected at least one value")
        for index, value in enumerate(values):
            if any(_is_same(value, other) for other in values[:index]):
                problems.add((*where, axis, index), f"the value {shown(str(value))} is given twice")
                break
    count = math.prod(len(values) for values in axes.values())
    if count > room:
        problems.add(where, f"{count} combinations: a suite has at most {MAX_ROWS} rows")
    return len(problems) == known


def _sets(values: list[Any], outer: str, inner: str) -> bool:
    """Return whether a value of the axis `outer`, a mapping, sets the key of the axis `inner` as well."""
    if not inner.startswith(f"{outer}."):
        return False
    steps = inner.removeprefix(f"{outer}.").split(".")
    return any(_has(value, steps) for value in values)


def _has(value: Any, steps: list[str]) -> bool:
    if not steps:
        return True
    return isinstance(value, dict) and steps[0] in value and _has(value[steps[0]], steps[1:])


class _Words:
    """The words that stand for the axes of a matrix: an axis in full, or its last part."""

    def __init__(self, axes: Mapping[str, Any]) -> None:
        self.axes = list(axes)
        last = Counter(axis.rsplit(".", 1)[-1] for axis in axes)
        self.ambiguous = {word for word, count in last.items() if count > 1} - axes.keys()
        short = {axis.rsplit(".", 1)[-1]: axis for axis in axes}
        self.axis_of = {word: axis for word, axis in short.items() if word not in self.ambiguous}
        self.axis_of |= {axis: axis for axis in axes}

    def problem(self, word: str) -> str | None:
        """Return the reason why a word stands for no axis, or None."""
        if word in self.axis_of:
            return None
        if word in self.ambiguous:
            meant = [axis for axis in self.axes if axis.rsplit(".", 1)[-1] == word]
            return f"'{word}' stands for several axes: write {' or '.join(meant)}"
        hint = suggest(word, self.axis_of)
        return f"the matrix has no axis '{shown(word)}'{hint}; it has: {', '.join(self.axes)}"


def _without_excluded(
    points: list[dict[str, Any]], rules: Any, words: _Words, where: Location, problems: Problems
) -> list[dict[str, Any]]:
    """Return the combinations that no rule leaves out; note rules that leave out nothing, or everything."""
    left = points
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        if not isinstance(rule, dict):
            continue  # the schema check has noted it
        unknown = {word: reason for word in rule if (reason := words.problem(word))}
        for word, reason in unknown.items():
            problems.add((*where, index, word), reason)
        if not rule:
            problems.add((*where, index), f"expected values of axes; there are: {', '.join(words.axes)}")
        if unknown or not rule:
            continue
        if not any(_matches(point, rule, words) for point in points):
            problems.add((*where, index), "leaves nothing out: the matrix has no such combination")
        left = [point for point in left if not _matches(point, rule, words)]
    if not left:
        problems.add(where, "leaves every combination out")
    return left


def _matches(point: dict[str, Any], rule: dict[str, Any], words: _Words) -> bool:
    return all(_is_same(point[words.axis_of[word]], value) for word, value in rule.items())


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal; true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _names(
    template: Any, points: list[dict[str, Any]], words: _Words, where: Location, problems: Problems
) -> list[Any]:
    """Return the names of combinations; note a template that cannot be filled in or gives a name twice."""
    if template is not None and not isinstance(template, str):
        return [template] * len(points)  # the schema check has noted it
    for word in _WORD.findall(template or ""):
        if reason := words.problem(word):
            problems.add(where, reason)
            return [None] * len(points)
    if set("{}") & set(_WORD.sub("", template or "")):
        problems.add(where, f"{shown(template or '')}: a brace without its partner")
        return [None] * len(points)
    names = [_filled(template, point, words) for point in points]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        all_axes = ", ".join(f"{{{axis}}}" for axis in words.axes)
        problems.add(
            where, f"several combinations are called '{shown(twice)}': tell them apart by {all_axes}"
        )
    return names


def _filled(template: str | None, point: dict[str, Any], words: _Words) -> str:
    if template is None:
        return "-".join(_word(value) for value in point.values())
    return _WORD.sub(lambda found: _word(point[words.axis_of[found[1]]]), template)


def _word(value: Any) -> str:
    return str(value.get("name", value)) if isinstance(value, dict) else str(value)


def _variant(entry: dict[str, Any], point: dict[str, Any], name: Any) -> MarkedDict:
    variant = MarkedDict({k: v for k, v in entry.items() if k not in ("matrix", "exclude")})
    if isinstance(entry, MarkedDict):
        variant.line, variant.lines = entry.line, dict(entry.lines)
    for axis, value in sorted(point.items(), key=lambda item: item[0].count(".")):
        variant = merge(variant, _nested(axis.split("."), value))
    variant["name"] = name
    return variant


def _nested(path: list[str], value: Any) -> MarkedDict:
    head, *rest = path
    return MarkedDict({head: _nested(rest, value) if rest else value})
