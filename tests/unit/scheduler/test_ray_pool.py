"""What can be told of the Ray executor without Ray; the rest is in tests/integration."""

import socket
import sys
from types import SimpleNamespace

import pytest

from lsbench.core.errors import ClusterError
from lsbench.core.waits import told_to
from lsbench.scheduler import ray_pool
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


def test_each_wait_of_a_run_is_told_before_it_begins(monkeypatch):
    """Starting, checking and ending take seconds, and jobs that run must first be stopped."""
    heard = []
    ray = SimpleNamespace(is_initialized=lambda: False, shutdown=lambda: heard.append("- ended"))
    for name in ("end_processes", "stop_servers", "remove_session_folders"):
        monkeypatch.setattr(ray_pool, name, lambda *_: None)
    monkeypatch.setattr(ray_pool, "ray_children", list)

    def refuse(address):
        heard.append("- asked")
        raise ClusterError("nobody")

    monkeypatch.setattr(ray_pool, "check_reachable", refuse)
    with told_to(heard.append):
        for address in (None, "head:1"):
            with pytest.raises(ClusterError, match="nobody"):
                RayExecutor(address).start()
    assert heard == ["starting Ray on this machine", "- asked", "joining Ray at head:1", "- asked"]
    heard.clear()
    monkeypatch.setitem(sys.modules, "ray", ray)
    for running in ({}, {"stream": ("a", 0)}, {"stream": ("a", 0), "more": ("a", 1), "other": ("b", 0)}):
        with told_to(heard.append):
            executor = RayExecutor()
            executor._running = running
            executor.close()
    assert heard[::2] == [
        "ending Ray",
        "stopping 1 running job and ending Ray",
        "stopping 2 running jobs and ending Ray",
    ]
    assert set(heard[1::2]) == {"- ended"}
