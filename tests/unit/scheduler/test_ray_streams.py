import pytest
import ray

from lsbench.scheduler.ray_streams import CANCELLED, cancel, first_line, next_items


@pytest.fixture
def get(monkeypatch):
    """Let Ray give references as they are, and raise those that are errors."""

    def get(wanted):
        for one in wanted if isinstance(wanted, list) else [wanted]:
            if isinstance(one, Exception):
                raise one
        return wanted

    monkeypatch.setattr(ray, "get", get)


def test_items_come_in_the_order_of_their_streams(get):
    streams = [iter([{"ev": "start"}, {"ev": "step"}]), iter([{"ev": "end", "ok": True}])]
    assert [item["ev"] for item in next_items(streams)] == ["start", "end"]
    assert next_items(streams[:1]) == [{"ev": "step"}]


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        (ray.exceptions.NodeDiedError("node 1 is gone"), "node_lost"),
        (ray.exceptions.TaskUnschedulableError("no such node"), "node_lost"),
        (ray.exceptions.OutOfMemoryError("95 % used"), "oom"),
        (ray.exceptions.RayTaskError("f", "trace", ValueError("bad")), "supervisor_error"),
        (ray.exceptions.TaskCancelledError(), CANCELLED),
        (ray.exceptions.WorkerCrashedError(), "worker_lost"),
        (StopIteration(), "worker_lost"),
    ],
)
def test_a_lost_stream_ends_with_the_reason_and_the_others_go_on(get, error, error_class):
    def broken():
        raise error
        yield

    lost = broken() if not isinstance(error, StopIteration) else iter(())
    found, good = next_items([lost, iter([{"ev": "step"}])])
    assert (found["ev"], found["ok"], found["error_class"]) == ("end", False, error_class)
    assert good == {"ev": "step"}


def test_an_error_has_one_line():
    assert first_line(ValueError("\nbad\nmore")) == "bad"
    assert first_line(ValueError()) == "ValueError"


def test_a_task_is_asked_to_stop_and_one_that_is_gone_stays_so(monkeypatch):
    asked = []
    monkeypatch.setattr(ray, "cancel", lambda task, force: asked.append((task, force)))
    cancel("task")
    assert asked == [("task", False)]

    def refuse(task, force):
        raise ValueError("it has ended")

    monkeypatch.setattr(ray, "cancel", refuse)
    cancel("task")
