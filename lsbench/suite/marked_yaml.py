"""Read YAML and keep the line of every key, so that errors can name it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lsbench.core.errors import ConfigError


class Line(int):
    """A line number, from 1, that knows its file."""

    file: str

    def __new__(cls, number: int, file: str) -> Line:
        """Return line `number` of `file`."""
        line = super().__new__(cls, number)
        line.file = file
        return line


class MarkedDict(dict[str, Any]):
    """A mapping that knows the file and the line of each of its keys."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines: dict[str, int] = {}
        self.line = 1


class MarkedList(list[Any]):
    """A sequence that knows the line of each of its items."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.lines: list[int] = []


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, with lines kept and a key given twice refused."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text)
        self.file = file
        self.refused: list[tuple[int, str]] = []

    def _mapping(self, node: yaml.MappingNode) -> MarkedDict:
        marked = MarkedDict()
        marked.line = node.start_mark.line + 1
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                self.refused.append((key_node.start_mark.line + 1, "<<: merge keys are not supported"))
                continue
            # As written: YAML 1.1 reads a bare `on` as true.
            is_scalar = isinstance(key_node, yaml.ScalarNode)
            key = key_node.value if is_scalar else str(self.construct_object(key_node, deep=True))
            if key in marked:
                self.refused.append((key_node.start_mark.line + 1, f"{key}: this key is given twice"))
            marked[key] = self.construct_object(value_node, deep=True)
            marked.lines[key] = Line(key_node.start_mark.line + 1, self.file)
        return marked

    def _sequence(self, node: yaml.SequenceNode) -> MarkedList:
        marked = MarkedList([self.construct_object(item, deep=True) for item in node.value])
        marked.lines = [Line(item.start_mark.line + 1, self.file) for item in node.value]
        return marked


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader._mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _Loader._sequence)


def read_yaml(path: Path) -> MarkedDict:
    """Return the mapping in a YAML file.

    Raises:
        ConfigError: ``file:line: ...`` if the file cannot be read, is not valid YAML, has a key
            twice, or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    try:
        loader = _Loader(text, str(path))
        data = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else "nested too deep"
        raise ConfigError(f"{path}:1: not valid YAML: {reason}") from error
    if loader.refused:
        raise ConfigError(f"{path}:{line}: {reason}" for line, reason in loader.refused)
    if not isinstance(data, MarkedDict):
        raise ConfigError(
            f"{path}:1: expected a mapping (version, name, variants, jobs), found {_name(data)}"
        )
    return data


def _name(value: Any) -> str:
    return "an empty file" if value is None else f"a {type(value).__name__.removeprefix('Marked').lower()}"


def line_of(data: Any, location: Sequence[str | int]) -> int:
    """Return the line of the deepest part of `location` that exists in `data`.

    Args:
        data: The result of :func:`read_yaml`, possibly merged from several marked mappings.
        location: Keys and indices from the top, as pydantic reports them.
    """
    line = 1
    for step in location:
        if isinstance(data, MarkedDict) and step in data:
            line = data.lines.get(str(step), line)
            data = data[str(step)]
        elif isinstance(data, MarkedList) and isinstance(step, int) and step < len(data):
            line = data.lines[step]
            data = data[step]
        else:
            break
    return line


def merge(base: Any, over: Any) -> Any:
    """Return `base` overridden by `over`: mappings key by key, other values whole; lines are kept."""
    if not (isinstance(base, MarkedDict) and isinstance(over, MarkedDict)):
        return over
    merged = MarkedDict(base)
    merged.line = base.line
    merged.lines = {**base.lines, **over.lines}
    for key, value in over.items():
        merged[key] = merge(base[key], value) if key in base else value
    return merged
