import pytest

from lsbench.scheduler.gang import GIVE_UP_S, GRACE_S, MEET_S, RunningGang, part_requests
from lsbench.scheduler.protocol import Placement

ALONE = Placement("a", 1)
ONE_NODE = Placement("a", 2, {0: 1.0, 1: 1.0}, num_devices=2, num_ranks=2)
TWO_NODES = Placement("a", 2, num_ranks=2, further=(Placement("b", 1),))
OK = {"ev": "end", "ok": True}


def failed(error_class, message=""):
    return {"ev": "end", "ok": False, "error_class": error_class, "message": message}


def take(job, *events):
    """Feed (part, event) pairs, a second apart; return what came of them."""
    found = []
    for second, (number, data) in enumerate(events):
        found += job.take(number, data, float(second))
    return [(event.kind, event.data) for event in found]


def test_a_job_of_one_process_is_asked_as_it_is():
    request = {"action": "job", "folder": "f"}
    assert part_requests(request, ALONE) == [request]


def test_the_ranks_of_a_gang_are_asked_for_node_by_node():
    request = {"action": "job", "folder": "f"}
    assert [asked["part"] for asked in part_requests(request, ONE_NODE)] == [
        {"node_rank": 0, "num_nodes": 1, "num_ranks": 2}
    ]
    first, second = part_requests(request, TWO_NODES)
    assert (first["action"], first["folder"]) == ("ranks", "f")
    assert first["part"] == {"node_rank": 0, "num_nodes": 2, "num_ranks": 2}
    assert second["part"] == {"node_rank": 1, "num_nodes": 2, "num_ranks": 1}


def test_a_single_part_is_the_job():
    events = take(
        RunningGang("j", ALONE),
        (0, {"ev": "start", "gpus": ""}),
        (0, {"ev": "step", "step": 1}),
        (0, failed("oom", "too big")),
    )
    assert events == [
        ("start", {"ev": "start", "gpus": "", "num_ranks": 1, "num_nodes": 1}),
        ("progress", {"ev": "step", "step": 1}),
        ("end", {**failed("oom", "too big"), "node": "a", "lost_nodes": []}),
    ]


def test_the_first_part_speaks_for_all_and_the_last_one_ends_the_job():
    events = take(
        RunningGang("j", TWO_NODES),
        (1, {"ev": "start"}),
        (0, {"ev": "start"}),
        (1, {"ev": "started", "pid": 1}),
        (0, {"ev": "epoch", "epoch": 1}),
        (1, OK),
        (0, OK),
    )
    assert [kind for kind, _ in events] == ["start", "progress", "end"]
    assert events[0][1] == {"ev": "start", "num_ranks": 3, "num_nodes": 2}
    assert events[2][1] == {"ok": True}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (failed("worker_lost", "another"), failed("DataError", "torn"), "DataError"),
        (failed("DataError", "torn"), failed("worker_lost", "another"), "DataError"),
        (failed("worker_lost", "rank 1"), failed("node_lost"), "node_lost"),
        (failed("timeout"), failed("worker_lost"), "timeout"),
        (OK, failed("worker_lost"), "worker_lost"),
        (failed("worker_lost"), OK, "worker_lost"),
        (failed("communication", "no route"), failed("worker_lost", "another"), "communication"),
        (failed("communication", "no route"), failed("ConfigError"), "ConfigError"),
        (failed("device_lost"), failed("communication"), "device_lost"),
    ],
)
def test_the_end_that_explains_the_others_is_the_jobs(first, second, expected):
    [(kind, data)] = take(RunningGang("j", TWO_NODES), (0, first), (1, second))
    assert (kind, data["ok"], data["error_class"]) == ("end", False, expected)
    lost = ["node_lost", "device_lost"]
    ends = {"a": first, "b": second}
    assert data["lost_nodes"] == [node for node, end in ends.items() if end.get("error_class") in lost]


@pytest.mark.parametrize("early", [0, 1])
def test_of_errors_of_their_own_the_first_in_time_is_the_jobs_and_its_node_is_told(early):
    ends = [{**failed("device_oom", f"on {node}"), "at": 20.0} for node in "ab"]
    ends[early]["at"] = 10.0
    [(_, data)] = take(RunningGang("j", TWO_NODES), (0, ends[0]), (1, ends[1]))
    assert (data["message"], data["node"]) == (f"on {'ab'[early]}", "ab"[early])


@pytest.mark.parametrize("killed", [0, 1])
def test_of_lost_ranks_the_killed_one_explains_the_others(killed):
    ends = [failed("worker_lost", "it lost the other"), failed("worker_lost", "it lost the other")]
    ends[killed] |= {"message": "it was killed", "was_killed": True}
    [(_, data)] = take(RunningGang("j", TWO_NODES), (0, ends[0]), (1, ends[1]))
    assert data["message"] == "it was killed"


def test_the_rest_of_a_broken_gang_is_stopped_once_after_a_moment():
    job = RunningGang("j", TWO_NODES)
    assert not job.must_stop(1000.0)
    assert job.take(1, failed("worker_lost"), 10.0) == []
    assert not job.must_stop(10.0)
    assert job.must_stop(10.0 + GRACE_S)
    assert not job.must_stop(11.0 + GRACE_S)
    assert job.left == {0}


def test_a_part_that_does_not_obey_is_given_up():
    job = RunningGang("j", TWO_NODES)
    job.take(1, failed("node_lost", "gone"), 0.0)
    assert job.give_up(GIVE_UP_S - 1) == []
    [end] = job.give_up(GIVE_UP_S)
    assert (end.job_id, end.kind, end.data["error_class"]) == ("j", "end", "node_lost")


def test_a_gang_whose_nodes_are_taken_by_another_gives_its_places_back():
    job = RunningGang("j", TWO_NODES)
    assert job.take(1, {"ev": "placed"}, 10.0) == []
    job.take(1, {"ev": "start"}, 11.0)
    assert not job.must_stop(10 + MEET_S - 0.1)
    assert job.must_stop(10 + 2 * MEET_S), "the other part still waits for its place"
    assert not job.must_stop(10 + 3 * MEET_S), "once is enough"
    assert job.take(1, failed("worker_lost"), 75.0) == []
    [end] = job.take(0, failed("worker_lost"), 76.0)
    assert (end.kind, end.data["error_class"], end.data["ok"]) == ("end", "crowded_out", False)


def test_a_gang_that_has_all_its_places_may_take_its_time():
    job = RunningGang("j", TWO_NODES)
    for number in (0, 1):
        job.take(number, {"ev": "placed"}, 10.0 + number)
    assert not job.must_stop(1e6)
    job.take(0, OK, 1e6)
    assert not job.must_stop(2e6), "a part that has ended needs no place"


def test_two_gangs_do_not_give_way_at_the_same_time():
    """Each would find the places of the other free, take them, and be where it was."""

    def end_of(job):
        job.take(0, {"ev": "placed"}, 0.0)
        return next(tenth for tenth in range(10000) if job.must_stop(tenth / 10))

    ends = {end_of(RunningGang("j", TWO_NODES)) for _ in range(8)}
    assert len(ends) > 1
    assert MEET_S <= min(ends) / 10 <= max(ends) / 10 <= 2 * MEET_S
