import pytest

from lsbench.scheduler.ledger import ResourceRequest
from lsbench.scheduler.protocol import Node
from lsbench.scheduler.rehearsal import JobLeft, rehearse

ONE, TWO = ResourceRequest(1, 0.0, "no"), ResourceRequest(2, 0.0, "no")
ALONE, GPU = ResourceRequest(1, 0.0, "device"), ResourceRequest(1, 1.0, "no")
NODES = [Node("a", 2)]


def part(name, seconds, request=ONE, *needs, **more):
    return JobLeft(name, seconds, request, frozenset(needs), **more)


@pytest.mark.parametrize(
    ("parts", "seconds"),
    [
        ([], 0),
        ([part("a", 5)], 5),
        ([part("a", 5), part("b", 5)], 5),
        ([part("a", 5), part("b", 5), part("c", 5)], 10),
        ([part("a", 5), part("b", 5, TWO)], 10),
        ([part("a", 5, ALONE), part("b", 5, ALONE)], 10),
        ([part("a", 5), part("b", 3), part("p", 5, ALONE)], 10),
        ([part("a", 5), part("b", 5, ONE, "a")], 10),
        ([part("a", 5), part("b", 5, ONE, "gone")], 5),
        ([part("a", 2, is_running=True), part("b", 7, is_running=True), part("c", 3)], 7),
        ([part("a", 2, ALONE, is_running=True), part("b", 3)], 5),
        ([part("a", 9, ResourceRequest(64, 0.0, "no")), part("b", 3)], 12),
    ],
)
def test_the_end_is_that_of_the_drivers_rules(parts, seconds):
    assert rehearse(NODES, parts) == seconds


def test_the_longest_chain_starts_first():
    parts = [part("a", 1), part("b", 1), part("long", 9, priority=9.0)]
    assert rehearse(NODES, parts) == 9


def test_no_more_than_the_allowed_number_run_at_a_time():
    assert rehearse(NODES, [part("a", 5), part("b", 5)], most=1) == 10


def test_gpus_are_shared_by_no_more_jobs_than_there_are():
    parts = [part(name, 5, GPU) for name in "abcd"]
    assert rehearse([Node("a", 8, 2)], parts) == 10
    assert rehearse([Node("a", 8, 2), Node("b", 8, 2)], parts) == 5


def test_a_cluster_without_nodes_runs_jobs_one_after_another():
    assert rehearse([], [part("a", 5), part("b", 5)]) == 10
