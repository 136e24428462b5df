"""How much of a machine's CPUs others use: the whole machine's busy time without this process' own."""

from __future__ import annotations

import time

import psutil


class HostLoad:
    """Reads the counters of this machine."""

    def other_cpu_s(self) -> float:
        """Return CPU seconds that all others have used so far; only differences mean something.

        The machine's counters go in steps of a hundredth of a second and CPU: differences over less than
        a few tenths of a second are coarse. Time that a hypervisor gave to others counts.
        """
        times = psutil.cpu_times()
        busy = times.user + times.system
        busy += sum(getattr(times, name, 0.0) for name in ("nice", "irq", "softirq", "steal"))
        return float(busy) - time.process_time()

    def clock_mhz(self) -> float | None:
        """Return the CPUs' mean clock in MHz, or None where the system does not say."""
        found = psutil.cpu_freq()
        return None if found is None or not found.current else round(float(found.current), 1)
