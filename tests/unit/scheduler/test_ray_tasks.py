import pytest

from lsbench.core.env import code_version
from lsbench.scheduler import ray_tasks


@pytest.fixture
def node(monkeypatch):
    """A node that runs requests without a child; return what it was asked."""
    asked = []

    def run_request(request, **words):
        asked.append((request, words))
        yield {"ev": "end", "ok": True}

    monkeypatch.setattr(ray_tasks, "run_request", run_request)
    monkeypatch.setattr(ray_tasks, "granted_devices", lambda: ["4", "6", "7"])
    return asked


def test_a_job_sees_as_many_of_its_devices_as_it_may(node):
    assert [*ray_tasks.run_job({"action": "job"}, "t", 5.0, 2)] == [{"ev": "end", "ok": True}]
    [(request, words)] = node
    assert request["env"]["CUDA_VISIBLE_DEVICES"] == "4,6"
    assert (words["token"], words["timeout_s"]) == ("t", 5.0)


def test_a_part_of_a_gang_meets_the_others_and_says_that_it_has_its_place(node):
    events = [*ray_tasks.run_job({"action": "job", "part": {"rank": 1}}, "t", 5.0, 0, "host:1")]
    assert [event["ev"] for event in events] == ["placed", "end"]
    assert node[0][0]["part"] == {"rank": 1, "endpoint": "host:1"}


def test_a_check_says_that_it_has_its_gpus_before_anything_slow(node):
    events = ray_tasks.run_job({"action": "preflight"}, "t", 5.0, 1)
    assert next(events) == {"ev": "placed"}
    assert node == []


def test_a_node_that_sees_the_results_runs_the_job_in_them(node, tmp_path):
    (tmp_path / ".shared-t").touch()
    place = {"root": str(tmp_path), "mark": ".shared-t", "actor": "a", "attempt": 1}
    assert ray_tasks.probe_node(place) == {"sees": True, **code_version()}
    [*_] = ray_tasks.run_job({"action": "job", "place": place}, "t", 5.0, 0)
    assert "place" not in node[0][0]


def test_a_node_that_does_not_see_the_results_has_the_files_sent(node, tmp_path, monkeypatch):
    place = {"root": str(tmp_path), "mark": ".shared-t", "actor": "a", "attempt": 1}
    assert not ray_tasks.probe_node(place)["sees"]
    monkeypatch.setattr(ray_tasks, "FarFiles", lambda name: f"files of {name}")

    def run_carried(request, files, attempt, run):
        yield {"ev": "carried", "files": files, "attempt": attempt}
        yield from run(request)

    monkeypatch.setattr(ray_tasks, "run_carried", run_carried)
    first, last = ray_tasks.run_job({"action": "job", "place": place}, "t", 5.0, 0)
    assert first == {"ev": "carried", "files": "files of a", "attempt": 1}
    assert last["ev"] == "end"
