"""Collect every problem of a suite file as ``file:line: field: reason``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from lsbench.core.errors import ConfigError
from lsbench.core.registry import suggest
from lsbench.core.validation import reason_of
from lsbench.suite.marked_yaml import Line, line_of

Location = Sequence[str | int]


class Problems:
    """The problems found so far in one file."""

    def __init__(self, source: str, data: Any) -> None:
        """Start an empty collection.

        Args:
            source: The file's path as given by the user.
            data: The marked content, which knows the line numbers.
        """
        self.source = source
        self.data = data
        self._found: dict[tuple[int, str], None] = {}

    def __len__(self) -> int:
        """Return the number of problems found."""
        return len(self._found)

    def add(self, location: Location, reason: str) -> None:
        """Add one problem; a repeated one is kept once."""
        line = line_of(self.data, location)
        where = line.file if isinstance(line, Line) else self.source if line else "--set"
        prefix = f"{where}:{line}" if line else where
        field = field_name(location)
        self._found[line, f"{prefix}: {field + ': ' if field else ''}{reason}"] = None

    def add_validation(self, error: ValidationError, model: type[BaseModel], base: Location = ()) -> None:
        """Add every error of the pydantic validation of the part of the file at `base`."""
        for item in error.errors(include_url=False):
            location = (*base, *item["loc"])
            if item["type"] == "extra_forbidden":
                known = known_fields(model, item["loc"][:-1])
                self.add(location, reason_of(item) + suggest(str(item["loc"][-1]), known))
            elif item["type"] == "string_pattern_mismatch":
                self.add(location, bad_name(str(item["input"]), is_variant=location[0] == "variants"))
            else:
                self.add(location, reason_of(item))

    def raise_if_any(self) -> None:
        """Raise all problems together, in the order of their lines.

        Raises:
            ConfigError: If there is any.
        """
        if self._found:
            raise ConfigError(text for _, text in sorted(self._found))


def field_name(location: Location) -> str:
    """Return a location for display: ``variants[2].mixer``.

    >>> field_name(["variants", 2, "mixer"])
    'variants[2].mixer'
    """
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")


def bad_name(name: str, *, is_variant: bool = False) -> str:
    """Return what is wrong with a name that becomes part of labels and paths; a variant may have a label too.

    >>> bad_name("LS conv", is_variant=True)
    "'LS conv' is no name: it takes letters, digits and . _ - + = , and starts with a letter or digit; put \
the title into `label:`, e.g. `name: LS_conv` with `label: LS conv`"
    """
    marks = ". _ - + = ," if is_variant else ". _ -"
    allowed = "".join(marks.split())
    plain = re.sub(f"[^A-Za-z0-9{re.escape(allowed)}]+", "_", name).strip(allowed)
    text = f"{name!r} is no name: it takes letters, digits and {marks} and starts with a letter or digit"
    if not plain:
        return text
    if is_variant:
        return f"{text}; put the title into `label:`, e.g. `name: {plain}` with `label: {name}`"
    return f"{text}, e.g. {plain}"


def known_fields(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that `model` allows at `location`, for near-miss suggestions."""
    schema = model.model_json_schema()
    nodes = [schema]
    for step in location:
        nodes = [child for node in nodes for child in _children(node, step, schema)]
    return sorted({name for node in nodes for name in node.get("properties", {})})


def _children(node: dict[str, Any], step: str | int, root: dict[str, Any]) -> list[dict[str, Any]]:
    found = [node["items"]] if isinstance(step, int) and isinstance(node.get("items"), dict) else []
    found += [node["properties"][step]] if step in node.get("properties", {}) else []
    if not found:
        values = [node.get("additionalProperties"), *node.get("patternProperties", {}).values()]
        found = [value for value in values if isinstance(value, dict)]
    return [flat for child in found for flat in _flatten(child, root)]


def _flatten(node: dict[str, Any], root: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _flatten(root["$defs"][node["$ref"].rsplit("/", 1)[-1]], root)
    choices = node.get("anyOf") or node.get("allOf")
    if choices:
        return [flat for choice in choices for flat in _flatten(choice, root)]
    return [node]
