"""The state of a GPU during a timing, from NVML: clock, temperature, throttling, energy, other processes."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

#: External reasons for a lower speed. A power cap under full load is normal for a GPU and is only reported.
THROTTLES = {
    "hw_slowdown": "nvmlClocksEventReasonHwSlowdown",
    "sw_thermal": "nvmlClocksEventReasonSwThermalSlowdown",
    "hw_thermal": "nvmlClocksThrottleReasonHwThermalSlowdown",
    "hw_power_brake": "nvmlClocksThrottleReasonHwPowerBrakeSlowdown",
}
POWER_CAP = "nvmlClocksEventReasonSwPowerCap"


@dataclass(frozen=True)
class GpuReading:
    """The state of a GPU at one moment; values that it cannot report are None.

    Attributes:
        clock_mhz: Clock of the multiprocessors.
        temperature_c: Temperature in degrees Celsius.
        throttles: Reasons out of :data:`THROTTLES` that slow it down.
        is_power_capped: Whether its power limit lowers the clock.
        other_processes: Number of processes that compute on it, without ours.
        energy_j: Energy it has used since the driver was loaded.
    """

    clock_mhz: float | None = None
    temperature_c: float | None = None
    throttles: tuple[str, ...] = ()
    is_power_capped: bool = False
    other_processes: int = 0
    energy_j: float | None = None


class GpuState:
    """Reads one GPU through NVML."""

    def __init__(self, nvml: Any, uuid: str, own: Collection[int]) -> None:
        """Open the device.

        Args:
            nvml: The module ``pynvml``, or a substitute.
            uuid: The device, as ``GPU-...``.
            own: Process ids that are expected on it.
        """
        nvml.nvmlInit()
        self._nvml, self._own = nvml, frozenset(own)
        self._handle = nvml.nvmlDeviceGetHandleByUUID(uuid)

    def read(self) -> GpuReading:
        """Return the current state of the GPU."""
        nvml, handle = self._nvml, self._handle
        reasons = int(self._ask(lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)) or 0)
        energy_mj = self._ask(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        return GpuReading(
            clock_mhz=self._ask(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
            temperature_c=self._ask(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            throttles=tuple(name for name, flag in THROTTLES.items() if reasons & self._flag(flag)),
            is_power_capped=bool(reasons & self._flag(POWER_CAP)),
            other_processes=self._other_processes(),
            energy_j=None if energy_mj is None else energy_mj / 1e3,
        )

    def _other_processes(self) -> int:
        """Return the number of processes beside ours.

        In a container NVML may report ours under ids that mean nothing here: then as many processes as we
        have are taken to be ours.
        """
        running = self._ask(lambda: self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)) or []
        pids = {process.pid for process in running}
        others = pids - self._own
        return len(others) if pids & self._own else max(0, len(pids) - len(self._own))

    def _flag(self, name: str) -> int:
        """Return a bit of the throttle reasons; drivers before 535 have it under an older name."""
        older = name.replace("ClocksEvent", "ClocksThrottle")
        return int(getattr(self._nvml, name, getattr(self._nvml, older, 0)))

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Return the answer, or None if this GPU or driver has none."""
        try:
            return question()
        except (self._nvml.NVMLError, AttributeError):
            return None


def open_gpu(uuid: str) -> GpuState | None:
    """Return the reader of a GPU, or None without the package ``nvidia-ml-py`` or a working driver.

    The process that started this one may have opened the device as well, so both count as ours.
    """
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        return GpuState(nvml, uuid, own=(os.getpid(), os.getppid()))
    except nvml.NVMLError:
        return None
