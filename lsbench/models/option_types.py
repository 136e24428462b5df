"""Compare the values of options with the types that a class or function declares for them.

Only plain types count (numbers, texts, true or false, lists of them): an option that is declared as anything
else, or not at all, takes every value.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    NoneType: "null",
}
PLURAL = {"a whole number": "whole numbers", "a number": "numbers", "a text": "texts"}
SHOWN_CHARS = 60


def type_problems(function: Callable[..., Any], options: Mapping[str, Any], *, owner: str) -> list[str]:
    """Return one line for each option whose value has another type than the function declares.

    Null is never a problem here: a function that does not take it says so itself.

    Args:
        function: A class or function.
        options: Its keyword arguments, as YAML gives them.
        owner: Its name in the lines, e.g. ``"mixer 'ls_conv'"``.
    """
    declared = _declared(function)
    lines = []
    for name, value in options.items():
        words = _words(declared[name]) if name in declared and value is not None else None
        if words is not None and not _fits(value, declared[name]):
            lines.append(f"{owner}: expected {words} as '{name}', found {shown(value)}")
    return lines


def shown(value: Any) -> str:
    """Return a value as YAML would write it on one line, shortened.

    >>> shown({"depths": [2, 2]}), shown("x"), shown(None)
    ('{"depths": [2, 2]}', '"x"', 'null')
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 3]}..."


def _declared(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the declared types of all arguments; those of a class include what it passes to its parents."""
    classes = reversed(inspect.getmro(function)) if inspect.isclass(function) else ()
    parts = [vars(one)["__init__"] for one in classes if "__init__" in vars(one)] or [function]
    found: dict[str, Any] = {}
    for part in parts:
        try:
            found |= get_type_hints(part)
        except (NameError, TypeError, AttributeError):  # names that exist for a type checker alone
            continue
    return found


def _words(declared: Any) -> str | None:
    """Return a plain type in words, or None for any other type."""
    if isinstance(declared, type) and declared in WORDS:
        return WORDS[declared]
    origin, arguments = get_origin(declared), [one for one in get_args(declared) if one is not Ellipsis]
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    parts = [_words(one) for one in arguments]
    if not parts or None in parts:
        return None
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(str, parts)))
    if origin in (list, tuple, Sequence, Iterable):
        kinds = dict.fromkeys(PLURAL.get(str(part), str(part)) for part in parts)
        return f"a list of {' or '.join(kinds)}"
    return None


def _fits(value: Any, declared: Any) -> bool:
    try:
        TypeAdapter(declared).validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError:
        return False
    return True
