"""What can be told of the Ray executor without Ray; the rest is in tests/integration."""

import socket

import pytest

from lsbench.core.errors import ClusterError
from lsbench.scheduler.ray_pool import RayExecutor


def test_an_address_where_nobody_listens_is_refused_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ClusterError, match=rf"127.0.0.1:{port}: no Ray cluster answers there"):
        RayExecutor(f"127.0.0.1:{port}").start()


def test_closing_what_never_started_does_nothing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    RayExecutor().close()
