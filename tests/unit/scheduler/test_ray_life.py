"""What can be told of the life of a Ray without Ray; the rest is in tests/integration."""

import socket
import sys
import time

import pytest

from lsbench.core.errors import ClusterError
from lsbench.scheduler import ray_life
from lsbench.scheduler.ray_life import RayLife, imported_ray


def test_an_address_where_nobody_listens_is_refused_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ClusterError, match=rf"127.0.0.1:{port}: no Ray cluster answers there"):
        RayLife(f"127.0.0.1:{port}", 1).start()


def test_a_ray_whose_import_was_interrupted_is_none(monkeypatch):
    for found in (None, object()):
        monkeypatch.setitem(sys.modules, "ray", found)
        assert imported_ray() is None
    monkeypatch.setitem(sys.modules, "ray", InitRay())
    assert isinstance(imported_ray(), InitRay)


class InitRay:
    """A Ray that starts as the test has written down."""

    def __init__(self, *outcomes):
        self.outcomes, self.asked = list(outcomes), []

    def init(self, **options):
        self.asked.append(options["address"])
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome

    def shutdown(self):
        self.asked.append("shutdown")


@pytest.fixture
def join(monkeypatch):
    """Start or join a Ray; return what was asked of it."""
    for name in ("kill_processes", "stop_servers", "mark_session"):
        monkeypatch.setattr(ray_life, name, lambda *_: None)
    monkeypatch.setattr(ray_life, "remove_session_folders", lambda: None)

    def run(address, tries, *outcomes):
        ray = InitRay(*outcomes)
        monkeypatch.setitem(sys.modules, "ray", ray)
        RayLife(address, 1)._join(tries=tries)
        return ray.asked

    return run


def test_a_local_ray_that_loses_a_process_as_it_starts_is_started_again(join):
    assert join(None, 2, None) == ["local"]
    lost = Exception("The current node timed out during startup")
    assert join(None, 2, lost, None) == ["local", "shutdown", "local"]


def test_a_local_ray_whose_head_ends_as_it_starts_is_not_waited_for(monkeypatch):
    """Ray would wait for a minute, and then end the process."""
    life = RayLife(None, 1)
    monkeypatch.setattr(life, "started", list)
    monkeypatch.setattr(ray_life, "vital_processes", lambda children: [])
    with life._watched_start():
        pass  # nothing has ended that has not begun
    monkeypatch.setattr(ray_life, "are_alive", lambda processes: False)
    with pytest.raises(ClusterError, match="a process of it ended"), life._watched_start():
        time.sleep(30)
    with RayLife("head:1", 1)._watched_start():
        pass  # the heads of others are not ours to watch


@pytest.mark.parametrize(
    ("address", "tries", "errors"),
    [
        (None, 2, [RuntimeError("first"), ConnectionError("no port")]),
        (None, 2, [ValueError("no port")]),
        ("head:1", 1, [ConnectionError("no port")]),
        ("head:1", 1, [Exception("no port")]),
    ],
)
def test_a_ray_that_does_not_start_is_told_with_the_last_reason(join, address, tries, errors):
    where = address or "a local Ray"
    with pytest.raises(ClusterError, match=rf"{where}: cannot be reached or started: no port"):
        join(address, tries, *errors)
