"""Send the values of a training to the loggers of its suite, without depending on any of them.

A logger that is not installed ends a job at its start. Any other problem with a logger is reported once: the
training continues, and the logger receives what it missed when it works again.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from textwrap import shorten
from types import TracebackType
from typing import Any

from lsbench.core.errors import ConfigError
from lsbench.core.job import JobContext
from lsbench.core.plain_warnings import warn
from lsbench.data.loading.random_state import same_randomness_afterwards
from lsbench.loggers import ChosenLogger, Logger, RunInfo, not_usable, parse_logger

Warn = Callable[[str], None]
LONGEST_REASON = 200


class MultiLogger:
    """All loggers of one training; none of their problems can fail or change the training."""

    def __init__(self, chosen: Sequence[ChosenLogger], run: RunInfo, *, warn: Warn = warn) -> None:
        """Open every logger.

        Args:
            chosen: The loggers; their packages are installed.
            run: Information about the training.
            warn: Receives one line per logger with a problem.

        Raises:
            ConfigError: If a logger lacks a package.
        """
        self._deliveries = [_Delivery(choice, run, warn) for choice in chosen]
        with same_randomness_afterwards():
            for delivery in self._deliveries:
                delivery.open()

    def __enter__(self) -> MultiLogger:
        """Return these loggers, to be closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them, as failed if the block raised."""
        self.close(ok=kind is None)

    def log(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Log one finished epoch.

        Args:
            epoch: Counted from 1; it may go back if a training resumes from an earlier epoch.
            metrics: Name -> value; None (not measured) is left out.
        """
        shown = {name: float(value) for name, value in metrics.items() if value is not None}
        with same_randomness_afterwards():
            for delivery in self._deliveries:
                delivery.log(epoch, shown)

    def close(self, ok: bool) -> None:
        """End every run, after a last attempt to deliver what a logger has missed."""
        with same_randomness_afterwards():
            for delivery in self._deliveries:
                delivery.close(ok)


class _Delivery:
    """The delivery to one logger: opens it, keeps what it missed, and retries at growing intervals."""

    def __init__(self, choice: ChosenLogger, run: RunInfo, warn: Warn) -> None:
        self._choice, self._run, self._warn = choice, run, warn
        self._logger: Logger | None = None
        self._missed: list[tuple[int, dict[str, float]]] = []
        self._failures = self._left_out = 0
        self._has_warned = False

    def open(self) -> None:
        try:
            self._deliver()
        except ConfigError:
            raise
        except ImportError as error:
            raise ConfigError(not_usable(self._choice, error)) from error
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a logger may raise anything, and must not end a training
            self._failed(error)

    def log(self, epoch: int, metrics: dict[str, float]) -> None:
        self._missed.append((epoch, metrics))
        self._left_out += 1
        if self._left_out < 2**self._failures:
            return
        try:
            self._deliver()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            self._failed(error)

    def close(self, ok: bool) -> None:
        try:
            self._deliver()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            self._failed(error)
        if self._logger is None:
            return
        try:
            self._logger.close(ok)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            self._failed(error)

    def _deliver(self) -> None:
        """Send the logger everything it has missed; nothing is sent twice."""
        if self._logger is None:
            self._logger = self._choice.kind.open(self._choice.options, self._run)
        while self._missed:
            self._logger.log(*self._missed[0])
            self._missed.pop(0)
        self._failures = self._left_out = 0

    def _failed(self, error: BaseException) -> None:
        if not self._has_warned:
            reason = shorten((str(error).strip().splitlines() or [""])[0], LONGEST_REASON, placeholder=" ...")
            self._warn(
                f"logger {self._choice.name}: {type(error).__name__}: {reason}; the training continues, the "
                "logger is tried again, and every number is kept in the results"
            )
        self._has_warned = True
        self._failures, self._left_out = self._failures + 1, 0


def open_loggers(choices: Sequence[Any], run: RunInfo, *, warn: Warn = warn) -> MultiLogger:
    """Open the loggers of a training; call it at the start, on the first rank alone.

    Args:
        choices: A recipe's `loggers`.
        run: Information for the loggers; with finished epochs, a run is continued.
        warn: Receives one line per logger with a problem.

    Raises:
        ConfigError: If loggers do not exist or are not installed; names all of them.
    """
    chosen = [parse_logger(choice) for choice in choices]
    problems = []
    with same_randomness_afterwards():
        for choice in chosen:
            try:
                importlib.import_module(choice.kind.package)
            except ImportError as error:
                problems.append(not_usable(choice, error))
    if problems:
        raise ConfigError(problems)
    return MultiLogger(chosen, run, warn=warn)


def run_info(context: JobContext, *, start_epoch: int) -> RunInfo:
    """Return the information about a job for loggers.

    Args:
        context: The running job.
        start_epoch: Epochs finished before this process; 0 in a new training.
    """
    job, folder = context.job, context.folder.absolute()
    model = {name: value for name, value in job.variant.model_identity().items() if value is not None}
    recipe = {name: value for name, value in job.spec.items() if name != "loggers"}
    settings = {
        "variant": job.variant.name,
        **model,
        "seed": job.seed,
        "dataset": job.variant.dataset,
        **recipe,
    }
    return RunInfo(
        job_id=str(job.id),
        label=job.label,
        kind=job.kind,
        suite=folder.parents[2].name,  # as in <results>/<suite>/<preset>/jobs/<job id>
        preset=folder.parents[1].name,
        folder=folder,
        settings=dict(_flat(settings)),
        start_epoch=start_epoch,
    )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str | float | bool]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            is_plain = isinstance(value, (str, bool, int, float))
            yield f"{prefix}{name}", value if is_plain else json.dumps(value, default=str)
