"""The meeting of the ranks of one node, at a socket that only this machine can reach.

torch's own store listens on all interfaces, whatever address it is given.
"""

from __future__ import annotations

from datetime import timedelta

from torch.distributed import TCPStore  # type: ignore[attr-defined]  # documented, not in __all__
from torch.distributed.elastic.rendezvous import RendezvousParameters
from torch.distributed.elastic.rendezvous.static_tcp_rendezvous import StaticTCPRendezvous

from lsbench.engine.distributed import host_store

PATIENCE_S = 600
BACKEND = "loopback"


class LoopbackRendezvous(StaticTCPRendezvous):
    """A meeting of the ranks of one node at a free port of 127.0.0.1."""

    def __init__(self, host: str, run_id: str) -> None:
        """Listen on `host`, an address of the loopback interface."""
        store: TCPStore = host_store(host, timedelta(seconds=PATIENCE_S))
        super().__init__(host, store.port, 0, 1, run_id, PATIENCE_S)
        self._store = store

    def get_backend(self) -> str:
        """Return the name that torchrun knows it by."""
        return BACKEND


def create_rendezvous(params: RendezvousParameters) -> LoopbackRendezvous:
    """Return the meeting that torchrun asks for."""
    return LoopbackRendezvous(params.endpoint.rpartition(":")[0], params.run_id)
