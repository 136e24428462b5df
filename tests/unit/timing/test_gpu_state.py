import sys
from types import SimpleNamespace

import pytest

from lsbench.timing.gpu_state import GpuReading, GpuState, open_gpu


class FakeNvml:
    """One GPU, as ``pynvml`` shows it."""

    class NVMLError(Exception):
        pass

    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0
    nvmlClocksEventReasonSwPowerCap = 4  # noqa: N815
    nvmlClocksThrottleReasonHwSlowdown = 8  # noqa: N815
    nvmlClocksEventReasonSwThermalSlowdown = 32  # noqa: N815
    nvmlClocksThrottleReasonHwThermalSlowdown = 64  # noqa: N815
    nvmlClocksThrottleReasonHwPowerBrakeSlowdown = 128  # noqa: N815

    def __init__(self, reasons=0, pids=(), energy=5000, is_there=True):
        self.reasons, self.pids, self.energy, self.is_there = reasons, pids, energy, is_there

    def nvmlInit(self):  # noqa: N802
        if not self.is_there:
            raise self.NVMLError

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802
        return uuid

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):  # noqa: N802
        return self.reasons

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):  # noqa: N802
        if self.energy is None:
            raise self.NVMLError
        return self.energy

    def nvmlDeviceGetClockInfo(self, handle, kind):  # noqa: N802
        return 1500

    def nvmlDeviceGetTemperature(self, handle, kind):  # noqa: N802
        return 60

    def nvmlDeviceGetComputeRunningProcesses(self, handle):  # noqa: N802
        return [SimpleNamespace(pid=pid) for pid in self.pids]


def read(own=(1, 2), **nvml):
    return GpuState(FakeNvml(**nvml), "GPU-0", own).read()


def test_a_quiet_gpu_is_read():
    assert read(pids=(1,)) == GpuReading(clock_mhz=1500, temperature_c=60, energy_j=5.0)


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (0, ()),
        (4, ()),
        (8, ("hw_slowdown",)),
        (32 + 64, ("sw_thermal", "hw_thermal")),
        (128, ("hw_power_brake",)),
    ],
)
def test_throttling_is_named_and_a_power_cap_is_only_told(reasons, expected):
    found = read(reasons=reasons)
    assert found.throttles == expected
    assert found.is_power_capped == (reasons == 4)


@pytest.mark.parametrize(
    ("pids", "expected"), [((), 0), ((1,), 0), ((1, 2), 0), ((1, 9), 1), ((7, 8), 0), ((7, 8, 9), 1)]
)
def test_processes_that_are_not_ours_are_counted_whatever_ours_are_called(pids, expected):
    assert read(pids=pids).other_processes == expected


def test_what_a_gpu_cannot_tell_is_none():
    assert read(energy=None).energy_j is None


def test_without_the_package_or_a_driver_there_is_no_reader(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert open_gpu("GPU-0") is None
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(is_there=False))
    assert open_gpu("GPU-0") is None
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    assert open_gpu("GPU-0").read().clock_mhz == 1500
