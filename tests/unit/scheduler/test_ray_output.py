import logging
import sys
from types import SimpleNamespace

from lsbench.scheduler.ray_output import log, quiet, silence


def test_warnings_of_the_start_are_hidden_and_later_ones_are_not(caplog):
    ray = logging.getLogger("ray")
    with caplog.at_level(logging.WARNING, "ray"):
        with quiet():
            ray.warning("a warning of the start")
        ray.warning("a later one")
    assert [record.message for record in caplog.records] == ["a later one"]


def test_lines_that_ray_prints_go_to_our_log(monkeypatch, caplog):
    worker = SimpleNamespace(print_to_stdstream=print)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(_private=SimpleNamespace(worker=worker)))
    silence()
    with caplog.at_level(logging.DEBUG, log.name):
        worker.print_to_stdstream({"lines": ["of a worker"]})
    assert "of a worker" in caplog.text


def test_a_ray_without_the_hook_is_left_as_it_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    silence()
