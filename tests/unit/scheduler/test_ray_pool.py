"""What can be told of the Ray executor without Ray; the rest is in tests/integration."""

import socket
from types import SimpleNamespace

import pytest

from lsbench.core.errors import ClusterError
from lsbench.scheduler.protocol import Node
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


def test_while_the_head_does_not_answer_the_nodes_are_those_that_were():
    """Ray is not asked: it would block for a minute, and then end the process."""
    executor, nodes = RayExecutor(), [Node("a", 4)]
    executor._head, executor._nodes = SimpleNamespace(answers=lambda: False, is_gone=True), nodes
    assert executor.nodes() == nodes
