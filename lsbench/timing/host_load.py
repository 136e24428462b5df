"""CPU use of other processes: the whole machine's busy time without this process' own."""

from __future__ import annotations

import time

import psutil


class HostLoad:
    """Reads the counters of this machine."""

    def other_cpu_s(self) -> float:
        """Return the CPU seconds of all other processes so far; only differences are meaningful.

        The machine's counters advance in steps of a hundredth of a second per CPU: differences over less than
        a few tenths of a second are coarse. Time that a hypervisor gave to others counts.
        """
        times = psutil.cpu_times()
        busy = times.user + times.system
        busy += sum(getattr(times, name, 0.0) for name in ("nice", "irq", "softirq", "steal"))
        return float(busy) - time.process_time()

    def clock_mhz(self) -> float | None:
        """Return the CPUs' mean clock in MHz, or None if the system does not report it."""
        found = psutil.cpu_freq()
        return None if found is None or not found.current else round(float(found.current), 1)
