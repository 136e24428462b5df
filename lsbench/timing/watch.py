"""Watch the machine while a model is timed, and flag samples that other processes disturbed.

The machine is read between blocks of samples, not by a thread: a thread would take the interpreter and a CPU
from the very pass that it watches. Nothing is missed between two readings, since the values are counters that
only grow; a GPU's clock, temperature and list of processes are those of the moment.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from lsbench.timing.gpu_state import GpuReading


class Host(Protocol):
    """Readings of the CPUs."""

    def other_cpu_s(self) -> float:
        """Return the CPU seconds used by others so far."""

    def clock_mhz(self) -> float | None:
        """Return the clock in MHz."""


class Gpu(Protocol):
    """Readings of a GPU."""

    def read(self) -> GpuReading:
        """Return the current state of the GPU."""


class Watch:
    """Reads the machine at the borders of intervals, and judges each interval.

    Attributes:
        disturbed_by: Reason -> number of samples that it disturbed.
    """

    def __init__(
        self,
        host: Host,
        gpu: Gpu | None,
        *,
        max_other_cpus: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Watch, beginning with :meth:`start`.

        Args:
            host: Reads the CPUs.
            gpu: Reads the GPU that is timed, if it can be read.
            max_other_cpus: CPUs that others may use.
            clock: Seconds of a monotonic clock.
        """
        self._host, self._gpu, self._clock = host, gpu, clock
        self._max_other_cpus = max_other_cpus
        self.disturbed_by: Counter[str] = Counter()
        self._other_cpus: list[float] = []
        self._cpu_mhz: list[float] = []
        self._gpu_readings: list[GpuReading] = []
        self._last = (0.0, 0.0)

    def start(self) -> None:
        """Open the first interval."""
        self._look()

    def close_interval(self, samples: int) -> bool:
        """End an interval and open the next; return True if others disturbed it.

        Args:
            samples: Number of samples taken in it.
        """
        before, used_before = self._last
        reasons = self._look()
        now, used = self._last
        others = max(0.0, used - used_before) / max(now - before, 1e-9)
        self._other_cpus.append(others)
        if others > self._max_other_cpus:
            reasons.append("other processes on the CPUs")
        self.disturbed_by.update(dict.fromkeys(reasons, samples))
        return bool(reasons)

    def _look(self) -> list[str]:
        self._last = self._clock(), self._host.other_cpu_s()
        mhz = self._host.clock_mhz()
        self._cpu_mhz += [] if mhz is None else [mhz]
        if self._gpu is None:
            return []
        reading = self._gpu.read()
        self._gpu_readings.append(reading)
        reasons = [f"GPU throttled: {name}" for name in reading.throttles]
        return reasons + (["other processes on the GPU"] if reading.other_processes else [])

    @property
    def energy_j(self) -> float | None:
        """Energy used by the GPU since the start, in joules; None if it cannot be read."""
        known = [reading.energy_j for reading in self._gpu_readings if reading.energy_j is not None]
        return known[-1] - known[0] if len(known) > 1 else None

    def summary(self) -> dict[str, Any]:
        """Return the observations, for the setting of a record: most are ``[smallest, largest]``."""
        found: dict[str, Any] = {
            "cpus": os.cpu_count(),
            "max_other_cpus": self._max_other_cpus,
            "other_cpus": _middle_and_most(self._other_cpus),
            "cpu_mhz": _range(self._cpu_mhz),
        }
        if self._gpu_readings:
            readings = self._gpu_readings
            found["gpu_mhz"] = _range([r.clock_mhz for r in readings if r.clock_mhz is not None])
            found["gpu_temperature_c"] = _range(
                [r.temperature_c for r in readings if r.temperature_c is not None]
            )
            found["gpu_throttles"] = sorted({name for reading in readings for name in reading.throttles})
            found["is_power_capped"] = any(reading.is_power_capped for reading in readings)
            found["gpu_other_processes"] = max(reading.other_processes for reading in readings)
        return found


def _range(values: list[float]) -> list[float] | None:
    return [min(values), max(values)] if values else None


def _middle_and_most(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"median": round(statistics.median(values), 3), "max": round(max(values), 3)}
