import logging

import pytest

from lsbench.core.errors import ClusterError
from lsbench.scheduler.driver import Driver
from lsbench.scheduler.protocol import Node
from lsbench.scheduler.unfailing import UnfailingWatcher
from lsbench.store.results import ResultsFolder
from lsbench.suite.planner import make_plan


class FailingWatcher:
    """Raises an error whatever it is told, as a display does whose terminal is gone."""

    def __init__(self, error):
        self.error, self.told = error, []

    def _raise(self, *told):
        self.told.append(told)
        raise self.error

    nodes_changed = job_started = job_progressed = job_ended = tick = close = _raise


@pytest.mark.parametrize(
    "error", [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left"), SystemExit(1), KeyError("x")]
)
def test_a_run_goes_on_when_nobody_can_watch_it(error, tiny, make_graph, tmp_path, fake_executor, caplog):
    graph, folder, watcher = make_graph(tiny), ResultsFolder(tmp_path / "results"), FailingWatcher(error)
    folder.create()
    plan = make_plan(graph, done=set(), only=[], skip=[], seeds=None)
    with caplog.at_level(logging.WARNING):
        outcome = Driver(plan, folder, fake_executor([Node("a", 4)]), UnfailingWatcher(watcher)).run()
    assert len(outcome.ok) == len(graph.jobs)
    assert len(watcher.told) == 1
    [line] = caplog.messages
    assert line.startswith(f"the run goes on, but is no longer shown: {type(error).__name__}")


def test_what_works_is_passed_on(tiny, make_graph, watcher):
    job, unfailing = make_graph(tiny).jobs[0], UnfailingWatcher(watcher)
    unfailing.job_started(job, {})
    unfailing.job_progressed(job, {"ev": "epoch"})
    unfailing.tick()
    unfailing.job_ended(job, "ok", "")
    assert (watcher.started, watcher.progress) == ([job.label], [{"ev": "epoch"}])
    assert watcher.ended == [(job.label, "ok", "")]


def test_ctrl_c_while_drawing_still_ends_the_run(tiny, make_graph):
    with pytest.raises(KeyboardInterrupt):
        UnfailingWatcher(FailingWatcher(KeyboardInterrupt())).tick()


def test_it_closes_what_has_failed_without_failing():
    watcher = FailingWatcher(ClusterError("gone"))
    unfailing = UnfailingWatcher(watcher)
    unfailing.tick()
    unfailing.close()
    assert watcher.told == [(), ()]
    UnfailingWatcher(object()).close()
