"""The exception tree of lsbench and the exit code that each branch ends with."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells its caller; documented in ``docs/reading_results.md`` and never reused."""

    OK = 0
    REGRESSION = 1
    USAGE = 2
    JOBS_FAILED = 3
    INCONCLUSIVE = 4
    NOTHING_MEASURED = 5
    INTERRUPTED = 130


class LsbenchError(Exception):
    """Base of every error that a user can act on.

    The message says what was expected, what was found, where, and what to do. The command line
    prints each line of it to stderr and exits with :attr:`exit_code`.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE
    #: The word under which a failed job's error is stored; None: the name of the class.
    error_class: ClassVar[str | None] = None


class UsageError(LsbenchError):
    """The command line asks for something that does not exist or cannot be combined."""


class ConfigError(LsbenchError):
    """A suite file is wrong. Carries every problem found, not only the first one."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class UnknownNameError(ConfigError):
    """A plug-in (mixer, data set, job kind, ...) of this name does not exist."""


class PluginError(ConfigError):
    """A plug-in of another package cannot be imported, or is not what its kind promises."""


class DataError(LsbenchError):
    """A data set is missing, incomplete or not what it should be."""


class StoreError(LsbenchError):
    """The results folder cannot be used as it is."""


class DiskFullError(StoreError):
    """There is no room left for what has to be written."""

    error_class = "disk_full"


class DivergedError(LsbenchError):
    """A training's loss is no number any more, or has exploded."""

    error_class = "diverged"


class MeasurementError(LsbenchError):
    """A timing's process ended without a number."""


class ClusterError(LsbenchError):
    """The cluster cannot run the suite: no node fits, or a node sees other files or code."""


class InterruptedRunError(LsbenchError):
    """The user stopped the run."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERRUPTED


class NothingMeasuredError(LsbenchError):
    """There is no result to show."""

    exit_code: ClassVar[ExitCode] = ExitCode.NOTHING_MEASURED


class JobsFailedError(LsbenchError):
    """Jobs have failed or are missing whose numbers are needed."""

    exit_code: ClassVar[ExitCode] = ExitCode.JOBS_FAILED


class InconclusiveError(LsbenchError):
    """There is nothing to compare with, so nothing can be said."""

    exit_code: ClassVar[ExitCode] = ExitCode.INCONCLUSIVE
