"""The contract of a logger: a tool outside lsbench that receives a training's epochs while it runs.

Loggers are for monitoring. The authoritative values are records in the store, with or without loggers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema

from lsbench.core.errors import ConfigError
from lsbench.core.registry import LOGGERS, suggest
from lsbench.core.spec import StrictModel
from lsbench.core.validation import place_of, reason_of


@dataclass(frozen=True)
class RunInfo:
    """Information about a run for loggers.

    Attributes:
        job_id: The job's id: a training that is stopped and resumed is one run under one id.
        label: Human name, unique within suite and preset, e.g. ``ls/train/seed0``.
        kind: Job kind.
        suite: Name of the suite.
        preset: Name of the preset, with its overrides.
        folder: The job's folder, for files of the logger.
        settings: Model, data and recipe, flat: dotted name -> text, number or boolean.
        start_epoch: Epochs finished before this process; 0 in a new training.
    """

    job_id: str
    label: str
    kind: str
    suite: str
    preset: str
    folder: Path
    settings: Mapping[str, str | float | bool] = field(default_factory=dict)
    start_epoch: int = 0

    @property
    def group(self) -> str:
        """Name shared by the runs of one suite and preset."""
        return f"{self.suite}/{self.preset}"


class Logger(Protocol):
    """One open run of a logger. Any of its methods may raise: the training continues regardless."""

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log the values of one finished epoch.

        Args:
            epoch: Counted from 1. It goes back if a training resumes from an earlier epoch; the values logged
                for the epochs from there on are then void.
            metrics: Name -> value, in the unit of records.
        """

    def close(self, ok: bool) -> None:
        """End the run, as finished or as failed."""


@dataclass(frozen=True)
class LoggerKind:
    """A logger, as defined by a file in ``lsbench/loggers``.

    Attributes:
        spec: Pydantic class of its options; every option has a default.
        package: The package that it imports, in :attr:`open` and not before.
        install: The requirement to install with pip.
        open: Starts or continues the run of a job.
    """

    spec: type[StrictModel]
    package: str
    install: str
    open: Callable[[Any, RunInfo], Logger]


@dataclass(frozen=True)
class ChosenLogger:
    """A logger chosen in a suite: its name, its kind, its options."""

    name: str
    kind: LoggerKind
    options: StrictModel


def parse_logger(choice: Any) -> ChosenLogger:
    """Return the logger for an entry of `loggers`.

    Args:
        choice: A name, or a mapping of one name to its options.

    Raises:
        ConfigError: If it is neither, or the name or an option does not exist.
    """
    name, options = _name_and_options(choice)
    kind: LoggerKind = LOGGERS.load(name)
    try:
        return ChosenLogger(name, kind, kind.spec.model_validate(options))
    except ValidationError as error:
        raise ConfigError("; ".join(f"{name}.{line}" for line in _lines(error, kind.spec))) from error


def missing_package(choice: Any) -> str | None:
    """Return one line if the package of a chosen logger is not installed; it is not imported."""
    chosen = parse_logger(choice)
    try:
        is_there = find_spec(chosen.kind.package) is not None
    except (ImportError, ValueError):
        is_there = False
    if is_there:
        return None
    return not_usable(chosen, f"No module named '{chosen.kind.package}'")


def not_usable(chosen: ChosenLogger, reason: object) -> str:
    """Return the line for a logger whose package cannot be imported."""
    return (
        f"loggers: {chosen.name}: cannot be imported here ({reason}); "
        f'install it with `pip install "{chosen.kind.install}"`, or remove it from the suite'
    )


def _name_and_options(choice: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(choice, str):
        return choice, {}
    if isinstance(choice, Mapping) and len(choice) == 1:
        name, options = next(iter(choice.items()))
        if options is None or isinstance(options, Mapping):
            return str(name), dict(options or {})
    raise ConfigError("expected the name of a logger, or a mapping of one name to its options")


def _lines(error: ValidationError, spec: type[StrictModel]) -> list[str]:
    lines = []
    for item in error.errors(include_url=False):
        hint = suggest(place_of(item), spec.model_fields) if item["type"] == "extra_forbidden" else ""
        lines.append(f"{place_of(item)}: {reason_of(item)}{hint}")
    return lines


def _check_choice(choice: Any) -> Any:
    try:
        parse_logger(choice)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return choice


def _check_each_once(choices: Sequence[Any]) -> Sequence[Any]:
    names = [_name_and_options(choice)[0] for choice in choices]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is given twice")
    return choices


class _ChoiceSchema:
    """JSON schema of all loggers and their options for editors; built on request, as plug-ins come and go."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        names = LOGGERS.usable_names()
        return {"anyOf": [{"enum": names}, *(_with_options(name) for name in names)]}


def _with_options(name: str) -> dict[str, Any]:
    kind: LoggerKind = LOGGERS.load(name)
    return {
        "type": "object",
        "properties": {name: {"anyOf": [kind.spec.model_json_schema(), {"type": "null"}]}},
        "required": [name],
        "additionalProperties": False,
    }


#: The type of a recipe's field `loggers`: ``[tensorboard, {wandb: {project: lsnet}}]``.
LoggerChoices = Annotated[
    tuple[Annotated[Any, AfterValidator(_check_choice), _ChoiceSchema], ...],
    AfterValidator(_check_each_once),
]
