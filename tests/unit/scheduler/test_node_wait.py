import pytest

from lsbench.core.waits import told_to
from lsbench.scheduler.ledger import ResourceRequest
from lsbench.scheduler.node_wait import POLL_S, TOLD_EVERY_S, NodeWait, may_fit_later
from lsbench.scheduler.protocol import Node

REQUEST = ResourceRequest(4, 1.0, "no")


class Time:
    """Passes only while somebody sleeps."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def time():
    return Time()


def waiting(time, limit_s=None):
    return NodeWait(limit_s, clock=time, sleep=time.sleep)


def once(wait, nodes=(), *, request=REQUEST, num_jobs=1):
    return wait.wait("ls/train/seed0", request, nodes, num_jobs=num_jobs)


def test_the_wait_is_said_at_once_and_again_now_and_then(time):
    heard, wait = [], waiting(time)
    with told_to(heard.append):
        assert once(wait)
        assert heard == [
            "waiting for nodes: ls/train/seed0 requests 4 CPUs and 1 GPU, and there is no node with CPUs; "
            "--wait-for-nodes MIN bounds this wait"
        ]
        while time.now < 100 + 2.5 * TOLD_EVERY_S:
            assert once(wait)
    waited = [text.partition(":")[0].removeprefix("waiting for nodes for ") for text in heard[1:]]
    assert waited == ["5 min 00 s", "10 min 00 s"]


@pytest.mark.parametrize(
    ("nodes", "request_", "num_jobs", "said"),
    [
        ([Node("x", 0, name="head")], REQUEST, 3, "there is no node with CPUs (2 more jobs wait)"),
        (
            [Node("x", 8, 0, "n1")],
            REQUEST,
            1,
            "which the only node does not have free: n1 has 8 CPUs and 0 GPUs;",
        ),
        ([Node("x", 8, 2, "n1", others=(6.0, 1.5))], REQUEST, 1, "2 GPUs, others use 6 and 1.5"),
        (
            [Node("x", 8, 2, "n1", is_leaving=True)],
            REQUEST,
            1,
            "n1 has 8 CPUs and 2 GPUs and is about to leave",
        ),
        ([], ResourceRequest(8, 4.0, "no", num_ranks=4), 1, "requests 8 CPUs and 4 GPUs in 4 ranks, and"),
        ([], ResourceRequest(1, 0.0, "node"), 1, "0 GPUs, with the node to itself, and"),
    ],
)
def test_it_says_what_is_missing(nodes, request_, num_jobs, said, time):
    heard = []
    with told_to(heard.append):
        once(waiting(time), nodes, request=request_, num_jobs=num_jobs)
    assert said in heard[0]


def test_a_bounded_wait_ends_and_says_why(time):
    heard, wait = [], waiting(time, limit_s=60.0)
    with told_to(heard.append):
        turns = 1
        while once(wait):
            turns += 1
    assert turns == 1 + 60 / POLL_S
    assert wait.is_over
    assert wait.why_over == "no node for it was free within 1 min 00 s (--wait-for-nodes)"
    assert "for at most 1 min 00 s" in heard[0]


def test_each_wait_has_the_whole_time(time):
    wait = waiting(time, limit_s=1.0)
    while once(wait):
        pass
    wait.ended()
    assert not wait.is_over
    assert once(wait)


def test_who_does_not_want_to_wait_does_not(time):
    assert not once(waiting(time, limit_s=0.0))
    assert time.now == 100.0


GROUP, FIXED, EMPTY = Node("g", 4, is_of_group=True), Node("f", 4), Node("head", 0)


@pytest.mark.parametrize(
    ("nodes", "can_grow", "limit_s", "expected"),
    [
        ([FIXED], True, None, False),
        ([FIXED, GROUP], True, None, True),
        ([EMPTY], True, None, True),
        ([], True, None, True),
        ([FIXED], True, 60.0, True),
        ([GROUP], True, 0.0, False),
        ([EMPTY], False, None, False),
        ([GROUP], False, 60.0, False),
    ],
)
def test_a_job_that_fits_nowhere_waits_only_where_nodes_may_come(nodes, can_grow, limit_s, expected):
    assert may_fit_later(nodes, can_grow=can_grow, limit_s=limit_s) is expected
