import heapq
import itertools
import math
import random

import pytest

from lsbench.scheduler.ledger import Ledger, ResourceRequest
from lsbench.scheduler.protocol import Node
from lsbench.scheduler.queue import JobQueue, WaitingJob

ONE, EIGHT = ResourceRequest(1, 1.0, "no"), ResourceRequest(8, 8.0, "no")


def gpus(count):
    return ResourceRequest(max(1, math.ceil(count)), float(count), "no")


class Play:
    """Jobs on nodes in simulated time; each job is (request, seconds, priority, when it becomes ready)."""

    def __init__(self, nodes, jobs, *, known, most=math.inf):
        self.nodes, self.jobs, self.most = nodes, jobs, most
        self.seconds = {name: seconds for name, (_, seconds, *_) in jobs.items()}
        self.queue = JobQueue(Ledger(nodes), (lambda name: self.seconds[name] if known else None))
        self.started, self.events, self.now = {}, 0, 0.0

    def run(self):
        ready = sorted(self.jobs, key=lambda name: self.jobs[name][3])
        running, count = [], itertools.count()
        while ready or len(self.queue) or running:
            while ready and self.jobs[ready[0]][3] <= self.now:
                name = ready.pop(0)
                self.queue.add(WaitingJob(name, self.jobs[name][0], self.jobs[name][2], next(count)))
            self.events += 1
            for job, placement in self.queue.starts(self.now, self.most - len(running)):
                self.started[job.name] = self.now
                end = self.now + self.seconds[job.name]
                heapq.heappush(running, (end, next(count), job.name, placement))
                self.check(running)
            assert running or ready, "something always runs while jobs wait that fit"
            if ready and (not running or self.jobs[ready[0]][3] < running[0][0]):
                self.now = self.jobs[ready[0]][3]
                continue
            self.now, _, name, placement = heapq.heappop(running)
            self.queue.end(name, placement)
        return self.now

    def check(self, running):
        for node in self.nodes:
            here = [part for *_, whole in running for part in whole.parts if part.node == node.id]
            assert sum(part.num_cpus for part in here) <= node.num_cpus
            for device in range(node.num_gpus):
                assert sum(part.gpus.get(device, 0.0) for part in here) <= 1 + 1e-9


def late_big(rng, small, big):
    """Small jobs, and big ones of the highest priority that become ready when all GPUs are taken."""
    jobs = {}
    for number in range(small):
        seconds = rng.uniform(0.5, 8)
        jobs[f"small{number}"] = ONE, seconds, seconds, 0.0
    for number in range(big):
        jobs[f"big{number}"] = EIGHT, rng.uniform(8, 12), 100.0, 0.01
    return jobs


def bound(jobs, num_gpus):
    area = sum(request.num_gpus * seconds for request, seconds, *_ in jobs.values()) / num_gpus
    return max(area, *(begin + seconds for _, seconds, _, begin in jobs.values()))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_big_jobs_do_not_starve_behind_small_ones(seed, known):
    jobs = late_big(random.Random(seed), 400, 2)
    play = Play([Node(f"n{one}", 64, 8) for one in range(8)], jobs, known=known)
    end = play.run()
    assert max(play.started["big0"], play.started["big1"]) <= 8, (
        "no longer than the longest of those that ran"
    )
    assert end <= 1.05 * bound(jobs, 64), "two of eight nodes drain once"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_overcommitted_and_every_job_runs_whatever_they_ask_for(seed, known):
    rng = random.Random(seed)
    nodes = [Node("a", 8, 4), Node("b", 16, 8), Node("c", 4, 0)]
    jobs = {}
    for number in range(60):
        ranks = rng.choice([1, 1, 1, 3, 10])
        exclusive = rng.choice(["no", "no", "no", "device", "node"]) if ranks == 1 else "no"
        count = ranks if ranks > 1 else rng.choice([0, 0.25, 0.5, 1, 2, 4, 8])
        request = ResourceRequest(max(ranks, rng.randint(1, 4)), float(count), exclusive, ranks)
        jobs[f"j{number}"] = (
            request,
            rng.uniform(1, 9),
            rng.random(),
            rng.choice([0.0, 0.0, rng.uniform(0, 30)]),
        )
    play = Play(nodes, jobs, known=known, most=rng.choice([math.inf, 5]))
    play.run()
    assert play.started.keys() == jobs.keys()


def test_short_jobs_run_on_a_node_that_is_kept_free_as_long_as_they_end_in_time():
    jobs = {
        "long": (ONE, 10.0, 9.0, 0.0),
        "big": (EIGHT, 5.0, 8.0, 0.0),
        "short": (ONE, 10.0, 1.0, 0.0),
        "too long": (ONE, 11.0, 2.0, 0.0),
    }
    play = Play([Node("a", 64, 8)], jobs, known=True)
    play.run()
    assert play.started == {"long": 0.0, "short": 0.0, "big": 10.0, "too long": 15.0}


def test_of_unknown_duration_no_job_starts_on_a_node_that_is_kept_free():
    jobs = {"long": (ONE, 10.0, 9.0, 0.0), "big": (EIGHT, 5.0, 8.0, 0.0), "short": (ONE, 1.0, 1.0, 0.0)}
    play = Play([Node("a", 64, 8)], jobs, known=False)
    play.run()
    assert play.started == {"long": 0.0, "big": 10.0, "short": 15.0}
    with_another = Play([Node("a", 64, 8), Node("b", 8, 1)], jobs, known=False)
    with_another.run()
    assert with_another.started["short"] == 0.0 or with_another.started["big"] == 0.0


def test_the_node_that_is_free_first_is_kept():
    jobs = {
        "slow": (gpus(8), 9.0, 9.0, 0.0),
        "fast": (gpus(8), 3.0, 8.0, 0.0),
        "big": (gpus(8), 5.0, 7.0, 0.0),
        "small": (ONE, 5.0, 1.0, 0.0),
    }
    play = Play([Node("a", 64, 8), Node("b", 64, 8)], jobs, known=True)
    play.run()
    assert play.started["big"] == 3.0


def test_nodes_are_kept_for_ranks_that_fit_on_none_alone():
    gang = ResourceRequest(12, 12.0, "no", 12)
    jobs = {f"small{number}": (ONE, 2.0 + number / 100, 1.0, 0.0) for number in range(64)}
    jobs["gang"] = gang, 5.0, 9.0, 0.5
    play = Play([Node("a", 64, 8), Node("b", 64, 8)], jobs, known=False)
    play.run()
    assert play.started["gang"] < 2.2, "it starts when the first jobs have ended, not after all others"


def test_no_node_is_kept_for_exclusive_jobs_which_come_last():
    alone = ResourceRequest(1, 1.0, "node")
    jobs = {f"small{number}": (ONE, 2.0, 1.0, number / 4) for number in range(40)}
    jobs["alone"] = alone, 1.0, 9.0, 0.0
    jobs["first"] = ONE, 2.0, 99.0, 0.0
    play = Play([Node("a", 64, 2)], jobs, known=False)
    play.run()
    assert max(play.started, key=play.started.get) == "alone"


def test_jobs_of_the_same_priority_start_in_the_order_of_their_places():
    queue = JobQueue(Ledger([Node("a", 1)]))
    request = ResourceRequest(1, 0.0, "no")
    for name, place in (("c", 2), ("a", 0), ("b", 1)):
        queue.add(WaitingJob(name, request, 1.0, place))
    order = []
    while len(queue):
        [(job, placement)] = queue.starts(0.0)
        order.append(job.name)
        queue.end(job.name, placement)
    assert order == ["a", "b", "c"]


def test_a_node_that_is_gone_is_kept_for_nobody():
    ledger = Ledger([Node("a", 64, 8), Node("b", 64, 8)])
    queue = JobQueue(ledger)
    queue.add(WaitingJob("one", EIGHT, 3.0))
    queue.add(WaitingJob("two", ONE, 2.0))
    running = list(queue.starts(0.0))
    queue.add(WaitingJob("big", EIGHT, 1.0))
    assert list(queue.starts(1.0)) == []
    ledger.remove(running[1][1].node)
    assert list(queue.starts(2.0)) == []
    queue.end(*(running[0][0].name, running[0][1]))
    assert [job.name for job, _ in queue.starts(3.0)] == ["big"]


@pytest.mark.parametrize("known", [True, False])
def test_the_work_for_a_job_does_not_grow_with_their_number(known, count_calls):
    def calls(number):
        rng = random.Random(0)
        nodes = [Node(f"n{one}", 64, 8) for one in range(4)]
        jobs = {
            f"j{one}": (gpus(rng.choice([0.5, 1, 1, 2, 8])), rng.uniform(1, 9), rng.random(), 0.0)
            for one in range(number)
        }
        play = Play(nodes, jobs, known=known)
        play.check = lambda running: None
        found = count_calls(play.run)
        assert play.queue.passes == play.events
        return found / number

    assert calls(600) <= 1.15 * calls(200)
