"""The page of the command line, made from the verbs themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from lsbench.cli.main import create_app

#: Metavar of an option that names none, by the type of its value.
METAVARS = {int: "N", float: "X"}


@dataclass(frozen=True)
class Parameter:
    """One argument or option of a verb.

    Attributes:
        names: How it is written, with its value.
        meaning: Its help, with its choices.
        default: Its default, or an empty text.
    """

    names: str
    meaning: str
    default: str
    is_argument: bool


def to_markdown() -> str:
    """Return one section per verb: its usage, its description, its arguments and options."""
    return "\n".join(line for name, function in verbs(create_app()) for line in _section(name, function))


def verbs(group: typer.Typer, prefix: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every verb with its function, in the order of ``lsbench --help``; ``data check`` is one verb."""
    for command in group.registered_commands:
        if command.callback is not None and not command.hidden:
            yield prefix + (command.name or command.callback.__name__.replace("_", "-")), command.callback
    for below in group.registered_groups:
        if below.typer_instance is not None:
            yield from verbs(below.typer_instance, f"{prefix}{below.name} ")


def _section(name: str, function: Callable[..., Any]) -> Iterator[str]:
    parameters = list(_parameters(function))
    arguments = [one.names for one in parameters if one.is_argument]
    usage = " ".join(["lsbench", name, *arguments, *["[OPTIONS]"][: len(parameters) > len(arguments)]])
    yield from (f"## {name}", "", "```text", usage, "```", "", inspect.cleandoc(function.__doc__ or ""), "")
    if parameters:
        yield from ("| argument or option | meaning | default |", "| --- | --- | --- |")
        yield from (f"| `{one.names}` | {one.meaning} | {one.default} |" for one in parameters)
        yield ""


def _parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        kind, info = get_args(hints[name])[:2]
        is_argument = isinstance(info, ArgumentInfo)
        write = _argument if is_argument else _option
        yield Parameter(
            write(name, kind, info, parameter.default is inspect.Parameter.empty),
            _meaning(kind, info),
            _default(parameter.default),
            is_argument,
        )


def _argument(name: str, kind: Any, info: ArgumentInfo, is_required: bool) -> str:
    written = info.metavar or name.upper()
    return written if is_required or written.startswith("[") else f"[{written}]"


def _option(name: str, kind: Any, info: OptionInfo, is_required: bool) -> str:
    # In an annotation, typer takes the first name for a default until it builds the command.
    names = [one for one in (info.default, *(info.param_decls or ())) if isinstance(one, str)]
    names = names or [f"--{name.replace('_', '-')}"]
    types = _types(kind)
    plain = METAVARS.get(types[0], names[-1].strip("-").upper())
    value = "" if bool in types else f" {info.metavar or plain}"
    return ", ".join(f"{one}{value}" for one in names).replace("|", "\\|")


def _types(kind: Any) -> list[Any]:
    """Return the plain types in an annotation: of ``list[str] | None`` it is ``str``."""
    inner = [part for part in get_args(kind) if part is not type(None)]
    return [one for part in inner for one in _types(part)] if inner else [kind]


def _meaning(kind: Any, info: ArgumentInfo | OptionInfo) -> str:
    # Outside of code, <results> would be a tag of HTML.
    parts = " ".join((info.help or "").split()).split("`")
    text = "`".join(part.replace("<", "&lt;") if at % 2 == 0 else part for at, part in enumerate(parts))
    for choices in (one for one in _types(kind) if isinstance(one, type) and issubclass(one, Enum)):
        text += f" One of {', '.join(f'`{choice.value}`' for choice in choices)}."
    if info.envvar:
        text += f" Environment variable: `{info.envvar}`."
    return text.strip().replace("|", "\\|")


def _default(value: Any) -> str:
    value = getattr(value, "value", value)
    return "" if value in (None, False, inspect.Parameter.empty) else f"`{value}`"
