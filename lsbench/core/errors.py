"""The exception tree of lsbench and the exit code that each branch ends with."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The exit codes of the process; documented in ``docs/command_line.md`` and never reused."""

    OK = 0
    REGRESSION = 1
    USAGE = 2
    JOBS_FAILED = 3
    INCONCLUSIVE = 4
    NOTHING_MEASURED = 5
    CRASHED = 70
    INTERRUPTED = 130


class LsbenchError(Exception):
    """Base of every error that a user can act on.

    The message says what was expected, what was found, where, and what to do. The command line
    prints each of its lines to stderr and exits with :attr:`exit_code`.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE
    #: The error class stored with a failed job; None: the name of the Python class.
    error_class: ClassVar[str | None] = None


class UsageError(LsbenchError):
    """The command line asks for something that does not exist or cannot be combined."""


class ConfigError(LsbenchError):
    """A suite file is wrong. Carries every problem found, not only the first one."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class OptionError(ConfigError, TypeError):
    """A model does not take an option, or not such a value; Python code sees a TypeError, as of any call."""


class UnknownNameError(ConfigError):
    """There is no plug-in (mixer, data set, job kind, ...) of this name."""


class PluginError(ConfigError):
    """A plug-in of another package cannot be imported, or breaks the contract of its kind."""


class DataError(LsbenchError):
    """A data set is missing, incomplete or wrong."""


class MissingDataError(DataError):
    """A data set is not on this machine at all."""


class StoreError(LsbenchError):
    """The results folder cannot be used as it is."""


class DiskFullError(StoreError):
    """The disk is too full to write a file."""

    error_class = "disk_full"


class DivergedError(LsbenchError):
    """The loss of a training became NaN or exploded."""

    error_class = "diverged"


class PreemptedError(LsbenchError):
    """A job was asked to end before it was done, as its node goes away; it is run again."""

    error_class = "preempted"


class MeasurementError(LsbenchError):
    """The process of a timing ended without a result."""


class DeviceMemoryError(LsbenchError):
    """The memory of a device, or a job's share of it, ran out."""

    error_class = "device_oom"


class ShareMemoryError(DeviceMemoryError):
    """A job's share of a device's memory ran out."""

    error_class = "share_oom"


class DeviceFaultError(LsbenchError):
    """A device does not work, or another program keeps it; the job may run on another one."""

    error_class = "device_error"


class DeviceLostError(LsbenchError):
    """A job was granted a device and does not see it."""

    error_class = "device_lost"


class SharedMemoryError(LsbenchError):
    """The shared memory between a job and its loaders or ranks ran out."""

    error_class = "shared_memory"


class CommunicationError(LsbenchError):
    """The ranks of a job could not reach each other."""

    error_class = "communication"


class ClusterError(LsbenchError):
    """The cluster cannot run the suite: no node is large enough, or nodes differ in files or code."""


class InterruptedRunError(LsbenchError):
    """The user stopped the run."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERRUPTED


class NothingMeasuredError(LsbenchError):
    """There is no result to show."""

    exit_code: ClassVar[ExitCode] = ExitCode.NOTHING_MEASURED


class JobsFailedError(LsbenchError):
    """Jobs whose results are needed have failed or are missing."""

    exit_code: ClassVar[ExitCode] = ExitCode.JOBS_FAILED


class InconclusiveError(LsbenchError):
    """There is nothing to compare with, so there is no verdict."""

    exit_code: ClassVar[ExitCode] = ExitCode.INCONCLUSIVE
