"""Every key of a suite file, made from its JSON Schema."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from lsbench.core.registry import DATASETS, JOBS, LOGGERS
from lsbench.suite.json_schema import suite_json_schema
from lsbench.suite.schema import SuiteFile
from lsbench.suite.space import ALGORITHMS

Schema = Mapping[str, Any]

#: Title of a section -> the definition in the schema that it shows.
PARTS = {
    "defaults": "Defaults",
    "variants": "VariantEntry",
    "published_only": "PublishedRow",
    "presets": "Overlay",
    "resources": "Resources",
    "search": "SearchEntry",
    "gate": "GateEntry",
}
#: Keys that every job has; told once.
OF_EVERY_JOB = ("name", "needs", "resources")
#: Longer lists of names are not printed: the command line lists them.
MOST_CHOICES = 20
LISTED = {"model": "models", "mixer": "mixers"}
#: Part -> the part whose keys of the same name mean the same.
SAME_KEYS = {"VariantEntry": "Defaults"}


def to_markdown() -> str:
    """Return a table for each part of a suite file, job kind and data set."""
    return "\n".join(_lines(suite_json_schema()))


def _lines(schema: Schema) -> Iterator[str]:
    definitions = schema["$defs"]
    # The schema for editors lists names where the classes have a description.
    plain = SuiteFile.model_json_schema()
    of_file = _meanings(plain)
    yield from _table(
        "The file itself", "###", schema, "Keys at the left edge of the file.", meanings=of_file
    )
    for title, name in PARTS.items():
        same = SAME_KEYS.get(name)
        meanings = (of_file if name == "Overlay" else {}) | (_meanings(plain["$defs"][same]) if same else {})
        meanings |= _meanings(plain["$defs"][name])
        yield from _table(f"`{title}`", "###", definitions[name], meanings=meanings)
        if title == "search":
            yield from _search(definitions)
    yield from _jobs(definitions)
    yield from _datasets(definitions)


def _datasets(definitions: Schema) -> Iterator[str]:
    yield from ("### `dataset`", "", "A name, or a mapping with `name` and these settings.", "")
    for name in DATASETS.names():
        kinds = definitions["Dataset"]["anyOf"]
        settings = next(kind for kind in kinds if _name_of(kind) == name)
        meanings = _inherited(DATASETS.load(name).spec)
        yield from _table(f"`{name}`", "####", settings, meanings=meanings, leave_out=("name",))


def _name_of(kind: Schema) -> str | None:
    """Return the name of the data set whose settings a part of the schema describes."""
    name: str | None = kind.get("properties", {}).get("name", {}).get("const")
    return name


def _search(definitions: Schema) -> Iterator[str]:
    for inner in ("Dimension", "TrialBudget"):
        yield from _table(inner, "####", definitions[inner])
    for name, algorithm in ALGORITHMS.items():
        yield from _table(f"Algorithm `{name}`", "####", algorithm.model_json_schema(), leave_out=("name",))


def _jobs(definitions: Schema) -> Iterator[str]:
    yield from (
        "### `jobs`",
        "",
        "Every job may also have a `name`, a list `needs` of other jobs, and `resources`.",
        "",
    )
    for name in JOBS.names():
        kind = next(kind for kind in definitions["Job"]["anyOf"] if name in kind.get("properties", {}))
        settings = kind["properties"][name]["anyOf"][0]
        meanings = _inherited(JOBS.load(name).spec)
        yield from _table(f"`{name}`", "####", settings, meanings=meanings, leave_out=OF_EVERY_JOB)
    told = {*PARTS.values(), "Dimension", "TrialBudget", "Job", "Dataset"}
    for inner in sorted(
        name for name in definitions if name not in told and "properties" in definitions[name]
    ):
        yield from _table(inner, "####", definitions[inner])
    for name in LOGGERS.names():
        yield from _table(f"Logger `{name}`", "####", LOGGERS.load(name).spec.model_json_schema())


def _meanings(schema: Schema) -> dict[str, str]:
    return {
        key: value["description"] for key, value in schema["properties"].items() if "description" in value
    }


def _inherited(spec: type[BaseModel]) -> dict[str, str]:
    """Return what a class and the classes that it stands on say of its fields."""
    found: dict[str, str] = {}
    for owner in reversed(spec.__mro__):
        found |= _described(owner.__doc__ or "")[1]
    return found | {key: field.description for key, field in spec.model_fields.items() if field.description}


def _table(
    title: str,
    level: str,
    schema: Schema,
    intro: str | None = None,
    *,
    meanings: Mapping[str, str] | None = None,
    leave_out: tuple[str, ...] = (),
) -> Iterator[str]:
    text, told = _described(schema.get("description", ""))
    told = {**(meanings or {}), **told, **_meanings(schema)}
    yield from (f"{level} {title}", "", text if intro is None else intro, "")
    keys = {key: value for key, value in schema.get("properties", {}).items() if key not in leave_out}
    if not keys:
        return
    yield from ("| key | value | default | meaning |", "| --- | --- | --- | --- |")
    for key, value in keys.items():
        is_required = key in schema.get("required", ())
        cells = (f"`{key}`", _value(value, key), _default(value, is_required), _sentence(told.get(key, "")))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _described(docstring: str) -> tuple[str, dict[str, str]]:
    """Return the text of a docstring, and the meanings that its section ``Attributes`` gives."""
    text, _, attributes = inspect.cleandoc(docstring).partition("Attributes:")
    found = re.findall(r"(?ms)^    (\w+): (.*?)(?=^    \w+: |\Z)", attributes)
    clean = text.replace("``", "`").strip()
    return clean, {name: " ".join(meaning.replace("``", "`").split()) for name, meaning in found}


def _sentence(text: str) -> str:
    """Return a meaning as it stands in a cell; a value that it begins with keeps its case."""
    text = text.removesuffix(".")
    is_value = re.match(r"\w+( and \w+|, \w+| or \w+)*:|\w+\.\w+|\w+_", text)
    return text if is_value else text[:1].upper() + text[1:]


def _default(value: Schema, is_required: bool) -> str:
    if is_required:
        return "required"
    default = value.get("default")
    if default in (None, [], {}, "") or isinstance(default, dict):
        return ""
    text = json.dumps(default)
    return f"`{text}`" if len(text) <= 100 else f"{len(default)} names"


def _value(value: Schema, key: str) -> str:
    """Return in a few words what may stand as a value."""
    ways = {"$ref": _reference, "anyOf": _any_of, "const": _constant, "enum": _choices}
    for name, to_words in ways.items():
        if name in value:
            return to_words(value[name], key)
    kinds = {"array": _list, "object": _mapping}
    return kinds.get(value.get("type", ""), _scalar)(value, key)


def _reference(target: str, key: str) -> str:
    name = target.rsplit("/", 1)[-1]
    return {"Job": "a job", "Dataset": "a data set"}.get(name, f"mapping, see {_named(name)}")


def _any_of(kinds: list[Schema], key: str) -> str:
    return " or ".join(dict.fromkeys(_value(kind, key) for kind in kinds if kind.get("type") != "null"))


def _constant(constant: Any, key: str) -> str:
    return f"`{constant}`"


def _mapping(value: Schema, key: str) -> str:
    inner, names = value.get("additionalProperties"), list(value.get("properties", {}))
    if len(names) == 1 and "required" in value:
        return f"`{{{names[0]}: ...}}`"
    return f"mapping to {_value(inner, key)}" if isinstance(inner, dict) and inner else "mapping"


def _named(definition: str) -> str:
    for title, name in PARTS.items():
        if name == definition:
            return f"`{title}`"
    return definition


def _choices(choices: list[Any], key: str) -> str:
    if len(choices) > MOST_CHOICES or key in LISTED:
        return f"a name that `lsbench list {LISTED.get(key, key)}` shows"
    return ", ".join(f"`{json.dumps(choice).strip(chr(34))}`" for choice in choices if choice is not None)


def _list(value: Schema, key: str) -> str:
    if "prefixItems" in value:
        return "two numbers `[low, high]`" if len(value["prefixItems"]) == 2 else "three numbers"
    items = value.get("items")
    return f"list: {_value(items, key)}" if items else "list"


def _scalar(value: Schema, key: str) -> str:
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {value[name]:g}" for name, sign in bounds.items() if name in value]
    return ", ".join([words.get(value.get("type", ""), "any value"), *limits])
