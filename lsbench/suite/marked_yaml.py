"""Read YAML and keep the line of every key, so that errors can name it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from lsbench.core.errors import ConfigError, UsageError
from lsbench.core.plain_text import REASON, hidden_character, shown
from lsbench.suite.yaml_scalars import plain_value, shown_tag, tagged_value

#: Bounds of one text: shipped suites have a hundredth of them.
MAX_BYTES = 2**20
MAX_VALUES = 100_000
MAX_DEPTH = 50
_TAG = "tag:yaml.org,2002:"
_PLAIN = "plain"


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


class _Resolver:
    """Tells plain texts from quoted ones; their values are found later."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """Return the tag of a node without one."""
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else f"{_TAG}str"
        return f"{_TAG}map" if kind is yaml.MappingNode else f"{_TAG}seq"


class _PureLoader(_Resolver, yaml.SafeLoader):
    """PyYAML's own parser, where libyaml is missing."""


try:

    class _FastLoader(_Resolver, yaml.CSafeLoader):
        """The parser of libyaml, which keeps lines as well and makes reading three times as fast."""

except AttributeError:
    LOADER: Any = _PureLoader
else:
    LOADER = _FastLoader


class _Reading:
    """The values of one text, and the problems found in it."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.refused: list[tuple[int, str]] = []
        self.count = 0
        self.within: list[yaml.Node] = []

    def line(self, node: yaml.Node) -> int:
        """Return the line of a node: 0 on the command line."""
        return 0 if self.file is None else Line(node.start_mark.line + 1, self.file)

    def refuse(self, node: yaml.Node, reason: str) -> None:
        """Note a problem."""
        self.refused.append((node.start_mark.line + 1, reason))

    def value(self, node: yaml.Node, key: str = "") -> Any:
        """Return the value of a node below `key`; each use of an alias is a value of its own, and counts."""
        self.count += 1
        if self.count > MAX_VALUES:
            raise _RefusedError(
                node, f"more than {MAX_VALUES} values, aliases included: write a shorter file"
            )
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, f"{shown(key)}: " if key else "")
        if node in self.within:
            raise _RefusedError(node, "an alias stands inside of what it repeats")
        if len(self.within) >= MAX_DEPTH:
            raise _RefusedError(node, f"nested deeper than {MAX_DEPTH} levels")
        if node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            self.refuse(node, f"the tag {shown_tag(node.tag)} is not supported: leave it out")
        self.within.append(node)
        found = self._mapping(node) if isinstance(node, yaml.MappingNode) else self._sequence(node, key)
        self.within.pop()
        return found

    def _scalar(self, node: yaml.ScalarNode, prefix: str) -> Any:
        if hidden := hidden_character(node.value, allowed="\n\t"):
            self.refuse(node, f"{prefix}{shown(node.value)}: {REASON.format(hidden)}")
        try:
            return plain_value(node.value) if node.tag == _PLAIN else tagged_value(node.tag, node.value)
        except ValueError as error:
            self.refuse(node, f"{prefix}{error}")
            return None

    def _mapping(self, node: yaml.MappingNode) -> MarkedDict:
        marked = MarkedDict()
        marked.line = self.line(node)
        for key_node, value_node in node.value:
            if key_node.tag == _PLAIN and key_node.value == "<<":
                self.refuse(key_node, "<<: merge keys are not supported")
                continue
            key = self._key(key_node)
            if key in marked:
                self.refuse(key_node, f"{shown(key)}: this key is given twice")
            marked[key] = self.value(value_node, key)
            marked.lines[key] = self.line(key_node)
        return marked

    def _key(self, node: yaml.Node) -> str:
        """Return a key as written."""
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(node, "expected a plain name as key, found a list or mapping")
            return ""
        if hidden := hidden_character(node.value):
            self.refuse(node, f"{shown(node.value)}: {REASON.format(hidden)}")
        return str(node.value)

    def _sequence(self, node: yaml.Node, key: str) -> MarkedList:
        marked = MarkedList([self.value(item, key) for item in node.value])
        marked.lines = [self.line(item) for item in node.value]
        return marked


class _RefusedError(Exception):
    """Reading cannot go on."""

    def __init__(self, node: yaml.Node, reason: str) -> None:
        self.line, self.reason = node.start_mark.line + 1, reason
        super().__init__(reason)


def read_yaml(path: Path) -> MarkedDict:
    """Return the mapping in a YAML file.

    Raises:
        ConfigError: ``file:line: ...`` if the file cannot be read, is too large, is not valid YAML, has a
            key twice, or is not a mapping.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigError(f"{path}: more than {MAX_BYTES // 2**20} MiB: write a shorter file")
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: cannot be read: byte 0x{content[error.start]:02x} at position {error.start} is not "
            "UTF-8; save the file as UTF-8"
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    data = _read(text, str(path), lambda line, reason: f"{path}:{line}: {reason}")
    if not isinstance(data, MarkedDict):
        raise ConfigError(
            f"{path}:1: expected a mapping (version, name, variants, jobs), found {_name(data)}"
        )
    return data


def read_value(text: str, where: str) -> Any:
    """Return the value of a YAML text on the command line, read by the rules of suite files.

    Args:
        text: A number, a text, a list or a mapping.
        where: Prefix of messages: option and text.

    Raises:
        UsageError: If it is not valid.
    """
    try:
        return _read(text, None, lambda line, reason: f"{where}: {reason}")
    except ConfigError as error:
        raise UsageError(str(error)) from error


def _read(text: str, file: str | None, message: Callable[[int, str], str]) -> Any:
    """Return the value of a text; a mapping or list knows its lines.

    Raises:
        ConfigError: With one message per problem.
    """
    reading = _Reading(file)
    try:
        node = yaml.compose(text, Loader=LOADER)
        data = None if node is None else reading.value(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(message(line, f"not valid YAML: {error.problem or error.context}")) from error
    except _RefusedError as error:
        raise ConfigError(message(error.line, f"not valid YAML: {error.reason}")) from error
    except (yaml.YAMLError, RecursionError) as error:
        reason = str(error).splitlines()[0] if isinstance(error, yaml.YAMLError) else "nested too deep"
        raise ConfigError(message(1, f"not valid YAML: {reason}")) from error
    if reading.refused:
        raise ConfigError(message(line, reason) for line, reason in reading.refused)
    return data


def to_yaml(content: Any, *, width: int = 80) -> str:
    """Return content of plain types as YAML that :func:`read_yaml` reads back as the same values."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that this reader would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return True: each value is written out."""
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    try:
        is_plain = plain_value(text) == text
    except ValueError:
        is_plain = False
    return dumper.represent_scalar(f"{_TAG}str", text, style=None if is_plain else "'")


_Dumper.add_representer(str, _represent_text)


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
    """Return `base` overridden by `over`: mappings key by key, other values whole; lines are kept.

    Settings of a data set that is given by its name alone are added to the name.
    """
    if not (isinstance(base, MarkedDict) and isinstance(over, MarkedDict)):
        return over
    merged = MarkedDict(base)
    merged.line = base.line
    merged.lines = {**base.lines, **over.lines}
    for key, value in over.items():
        merged[key] = merge(_base_of(key, base[key], value), value) if key in base else value
    return merged


def _base_of(key: str, base: Any, over: Any) -> Any:
    if key == "dataset" and isinstance(base, str) and isinstance(over, MarkedDict) and "name" not in over:
        return MarkedDict(name=base)
    return base
