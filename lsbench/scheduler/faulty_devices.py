"""Devices that failed: kept from jobs until the job has run elsewhere, and for good after two faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsbench.core.waits import announce
from lsbench.scheduler.ledger import Ledger
from lsbench.scheduler.protocol import Executor, Placement

#: Faults after which a device gets no more jobs of this run.
MOST_FAULTS = 2


@dataclass(frozen=True)
class _Held:
    """A device that jobs do not get: node, its id there, and the ledger's number for it."""

    node: str
    device: str
    number: int


class FaultyDevices:
    """Counts the faults of each device and keeps jobs off those that failed."""

    def __init__(self, executor: Executor, ledger: Ledger) -> None:
        """Begin without any fault."""
        self._executor, self._ledger = executor, ledger
        self._faults: dict[tuple[str, str], int] = {}
        self._on_trial: dict[str, _Held] = {}

    def fault(self, job: str, placement: Placement, end: Mapping[str, Any]) -> None:
        """Count a fault, and keep the device from jobs, if it can be told which one it was.

        The cluster chooses devices itself, so the device that failed is held there, and the ledger counts one
        device less on its node.

        Args:
            job: The job that failed.
            placement: Where it ran; its devices are free again.
            end: Its end, with ``node``, and ``device`` as its node numbers it.
        """
        node, device = end.get("node", placement.node), end.get("device")
        numbers = next((list(part.gpus) for part in placement.parts if part.node == node), [])
        if device is None or not numbers or not self._executor.hold_device(node, device):
            return
        held = _Held(node, device, numbers[0])
        if not self._ledger.close_device(node, held.number):
            self._executor.free_device(node, device)
            return
        self._faults[node, device] = self._faults.get((node, device), 0) + 1
        if self._faults[node, device] < MOST_FAULTS:
            self._on_trial[job] = held
            return
        announce(
            f"GPU {device} of node {self._ledger.node_name(node)} has failed {MOST_FAULTS} times and is set "
            "aside: no more jobs of this run start there"
        )

    def ended(self, job: str) -> None:
        """Give the device on which a job failed once to jobs again, now that the job has ended elsewhere."""
        if (held := self._on_trial.pop(job, None)) is not None:
            self._free(held)

    def release(self) -> bool:
        """Give every device that failed once to jobs again, as there is no other; return whether any."""
        held, self._on_trial = list(self._on_trial.values()), {}
        for one in held:
            self._free(one)
        return bool(held)

    def _free(self, held: _Held) -> None:
        self._ledger.open_device(held.node, held.number)
        self._executor.free_device(held.node, held.device)
