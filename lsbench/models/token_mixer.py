"""Create a token mixer by its name in YAML, and report wrong options in one line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.core.promises import describe
from lsbench.core.registry import MIXERS, suggest
from lsbench.models.option_types import shown, type_problems


def create_mixer(name: str, dim: int, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Return the token mixer `name` for maps of `dim` channels.

    Args:
        name: File name in ``lsbench/models/mixers``, or a name that another package registers.
        dim: Channels of input and output.
        options: Keyword arguments of the mixer.

    Raises:
        ConfigError: If the mixer or an option is unknown, missing, or has an invalid value.
    """
    mixer = MIXERS.load(name)
    options = dict(options or {})
    problems = option_problems(mixer, options, owner=f"mixer '{name}'", given=1)
    if problems:
        raise ConfigError(problems)
    return _built(mixer, dim, options, owner=f"mixer '{name}'")


def _built(mixer: Callable[..., Any], dim: int, options: dict[str, Any], *, owner: str) -> nn.Module:
    try:
        module = mixer(dim, **options)
    except ValueError as error:
        raise ConfigError(f"{owner}: {error}") from error
    except Exception as error:
        reason = f"{owner} cannot be made with mixer_args {shown(options)}: {_one_line(error)}"
        raise ConfigError(type_problems(mixer, options, owner=owner) or reason) from error
    problems = type_problems(mixer, options, owner=owner)
    if problems:
        raise ConfigError(problems)
    if not isinstance(module, nn.Module):
        raise ConfigError(f"{owner}: expected it to make a torch.nn.Module, found {describe(module)}")
    return module


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def option_problems(
    function: Callable[..., Any], options: Mapping[str, Any], *, owner: str, given: int = 0
) -> list[str]:
    """Return one line for every option that `function` does not take or that is missing.

    Args:
        function: A class or function.
        options: Its keyword arguments.
        owner: Its name in the lines, e.g. ``"mixer 'ls_conv'"``.
        given: Number of leading parameters that are passed by position and are not options.
    """
    parameters = list(inspect.signature(function).parameters.values())[given:]
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    unknown = [] if takes_any else [option for option in options if option not in names]
    missing = [
        p.name for p in parameters if p.name in names and p.default is p.empty and p.name not in options
    ]
    lines = [f"{owner} has no option '{option}'{_hint(option, names)}" for option in unknown]
    return lines + [f"{owner} needs the option '{name}'" for name in missing]


def _hint(option: str, names: list[str]) -> str:
    listed = f"; its options are: {', '.join(names)}" if names else "; it takes none"
    return suggest(option, names) or listed
