import psutil
import pytest

from lsbench.timing.host_load import HostLoad


class Times:
    user, system, nice, irq, softirq, steal, idle, iowait = 10.0, 4.0, 1.0, 0.5, 0.25, 2.0, 100.0, 50.0


def test_others_are_all_busy_time_that_is_not_ours(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_times", Times)
    monkeypatch.setattr("lsbench.timing.host_load.time.process_time", lambda: 7.0)
    assert HostLoad().other_cpu_s() == pytest.approx(17.75 - 7.0)


def test_a_system_that_counts_less_is_read_too(monkeypatch):
    class Few:
        user, system, idle = 3.0, 1.0, 9.0

    monkeypatch.setattr(psutil, "cpu_times", Few)
    monkeypatch.setattr("lsbench.timing.host_load.time.process_time", lambda: 0.0)
    assert HostLoad().other_cpu_s() == 4.0


def test_this_machine_can_be_read():
    assert HostLoad().other_cpu_s() > 0


@pytest.mark.parametrize(
    ("found", "expected"), [(None, None), ((0.0, 0.0, 0.0), None), ((2400.04, 0.0, 0.0), 2400.0)]
)
def test_a_clock_that_is_not_known_is_none(found, expected, monkeypatch):
    from psutil._ntuples import scpufreq

    monkeypatch.setattr(psutil, "cpu_freq", lambda: found and scpufreq(*found))
    assert HostLoad().clock_mhz() == expected
