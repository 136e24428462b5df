import copy
import random
from dataclasses import replace

import pytest

from lsbench.core.errors import ClusterError
from lsbench.core.job import Resources
from lsbench.scheduler.ledger import Ledger, ResourceRequest
from lsbench.scheduler.protocol import Node


class Books:
    """An account of its own, kept from placements alone."""

    def __init__(self, nodes):
        self.nodes = {node.id: node for node in nodes}
        self.held = {}

    def take(self, key, request, placement):
        assert sum(part.num_ranks for part in placement.parts) == request.num_ranks
        assert len({part.node for part in placement.parts}) == len(placement.parts)
        self.held[key] = request, placement
        self.check()

    def check(self):
        for name, node in self.nodes.items():
            here = [(r, part) for r, p in self.held.values() for part in p.parts if part.node == name]
            assert sum(p.num_cpus for _, p in here) <= node.num_cpus
            for device in range(node.num_gpus):
                assert sum(p.gpus.get(device, 0.0) for _, p in here) <= 1 + 1e-9
            assert all(set(p.gpus) <= set(range(node.num_gpus)) for _, p in here)
            assert all(len(here) == 1 for r, _ in here if r.wants_node)
            for request, placement in here:
                if request.exclusive == "device":
                    mine = set(placement.gpus)
                    others = [set(p.gpus) for r, p in here if p is not placement]
                    assert not any(mine & theirs for theirs in others)


def random_nodes(rng):
    return [Node(f"n{i}", rng.randint(1, 8), rng.choice([0, 1, 4])) for i in range(rng.randint(1, 3))]


def random_gang(rng, nodes):
    """Return a gang that all nodes together hold, though perhaps no single one."""
    per_rank, on_gpu = rng.randint(1, 2), rng.random() < 0.5
    room = [min(n.num_cpus // per_rank, n.num_gpus if on_gpu else 99) for n in nodes]
    ranks = rng.randint(2, sum(room)) if sum(room) > 1 else 1
    exclusive = rng.choice(["no", "no", "node"])
    return ResourceRequest(per_rank * ranks, ranks * on_gpu, exclusive, ranks) if ranks > 1 else None


def random_request(rng, nodes):
    gang = random_gang(rng, nodes) if rng.random() < 0.3 else None
    if gang is not None:
        return gang
    host = rng.choice(nodes)
    gpus = rng.choice([0, 0.125, 0.25, 0.5, *range(1, host.num_gpus + 1)]) if host.num_gpus else 0
    return ResourceRequest(rng.randint(1, host.num_cpus), gpus, rng.choice(["no", "no", "device", "node"]))


@pytest.mark.parametrize("seed", range(25))
def test_a_cluster_is_never_overcommitted_and_every_job_finishes(seed):
    rng = random.Random(seed)
    nodes = random_nodes(rng)
    ledger, books = Ledger(nodes), Books(nodes)
    waiting = {number: random_request(rng, nodes) for number in range(60)}
    finished = 0
    while waiting or books.held:
        for key in list(waiting):
            placement = ledger.place(waiting[key])
            if placement is not None:
                books.take(key, waiting.pop(key), placement)
        assert books.held, "an empty cluster places any job that fits it"
        _, placement = books.held.pop(rng.choice(list(books.held)))
        ledger.release(placement)
        finished += 1
    assert finished == 60


@pytest.mark.parametrize("seed", range(10))
def test_nodes_come_and_go_without_overcommitting_the_others(seed):
    rng = random.Random(seed)
    nodes = [Node("a", 4, 1), Node("b", 8, 2)]
    ledger, books = Ledger(nodes), Books(nodes)
    for number in range(80):
        request = random_request(rng, nodes)
        placement = ledger.place(request)
        if placement is not None:
            assert placement.node in ledger.node_ids()
            books.take(number, request, placement)
        if rng.random() < 0.1:
            gone, new = nodes[1], Node(f"b{number}", 8, 2)
            ledger.remove(gone.id)
            lost = [key for key, (_, p) in books.held.items() if gone.id in [part.node for part in p.parts]]
            for key in lost:
                ledger.release(books.held.pop(key)[1])
            nodes[1] = books.nodes[new.id] = new
            ledger.add(new)
            ledger.add(gone)
            assert ledger.node_ids() == {"a", new.id}
        if books.held and rng.random() < 0.6:
            ledger.release(books.held.pop(rng.choice(list(books.held)))[1])
        books.check()


def change(rng, ledger, number):
    """Change one node, as clusters and faults do."""
    node = rng.choice(ledger.nodes())
    gone = [node] if rng.random() < 0.1 else []
    for one in gone:
        ledger.remove(one.id)
        ledger.add(Node(f"n{number}", 8, 2))
    used, leaving = replace(node, others=(1.0, 1.0)), replace(node, is_leaving=True)
    rng.choice(
        [
            lambda: ledger.add(used),
            lambda: ledger.add(leaving),
            lambda: ledger.add(node.idle),
            lambda: ledger.stop_using(node.id),
            lambda: ledger.close_device(node.id, 0),
            lambda: ledger.open_device(node.id, 0),
        ]
    )()


@pytest.mark.parametrize("seed", range(5))
def test_a_request_gets_the_node_that_it_would_get_if_it_was_asked_for_the_first_time(seed):
    rng, held = random.Random(seed), []
    ledger = Ledger(Node(name, 8, 2) for name in "abcd")
    for number in range(200):
        request = ResourceRequest(rng.randint(1, 3), rng.randint(1, 2), rng.choice(["no"] * 5 + ["node"]))
        never_seen = replace(request, num_gpus=request.num_gpus + 1e-9 * number)
        expected = copy.deepcopy(ledger).place(never_seen)
        placement = ledger.place(request)
        assert placement == expected
        held += [placement] if placement else []
        if held and rng.random() < 0.6:
            ledger.release(held.pop(rng.randrange(len(held))))
        if rng.random() < 0.3:
            change(rng, ledger, number)


def test_a_known_node_that_joins_again_keeps_its_account():
    ledger = Ledger([Node("a", 1)])
    assert ledger.place(ResourceRequest(1, 0, "no")) is not None
    ledger.add(Node("a", 1))
    assert ledger.place(ResourceRequest(1, 0, "no")) is None


def test_fractions_fill_one_device_before_the_next():
    ledger = Ledger([Node("a", 16, 2)])
    devices = [set(ledger.place(ResourceRequest(1, 0.5, "no")).gpus) for _ in range(4)]
    assert devices == [{0}, {0}, {1}, {1}]
    assert ledger.place(ResourceRequest(1, 0.125, "no")) is None


def test_eight_eighths_fill_a_device_exactly():
    ledger = Ledger([Node("a", 16, 1)])
    placements = [ledger.place(ResourceRequest(1, 0.125, "no")) for _ in range(8)]
    assert None not in placements
    assert ledger.place(ResourceRequest(1, 0.125, "no")) is None
    for placement in placements:
        ledger.release(placement)
    assert ledger.place(ResourceRequest(1, 1.0, "no")) is not None


def test_an_exclusive_job_takes_a_whole_device_and_sees_only_it():
    ledger = Ledger([Node("a", 4, 2)])
    placement = ledger.place(ResourceRequest(1, 0.25, "device"))
    assert (placement.gpus, placement.num_devices, placement.num_cpus) == ({0: 1.0}, 1, 1)
    assert ledger.place(ResourceRequest(1, 1.0, "no")).gpus == {1: 1.0}


def test_a_job_that_wants_the_node_takes_all_of_it_and_sees_what_it_asked_for():
    ledger = Ledger([Node("a", 4, 2)])
    placement = ledger.place(ResourceRequest(1, 1.0, "node"))
    assert (placement.num_cpus, placement.gpus, placement.num_devices) == (4, {0: 1.0, 1: 1.0}, 1)
    assert placement.num_gpus == 2.0
    assert ledger.place(ResourceRequest(1, 0, "no")) is None
    ledger.release(placement)
    assert ledger.place(ResourceRequest(4, 0, "no")) is not None


def test_a_timing_on_the_cpu_waits_until_the_node_has_drained():
    ledger = Ledger([Node("a", 4)])
    small = ledger.place(ResourceRequest(1, 0, "no"))
    timing = ResourceRequest(1, 0, "device")
    assert timing.wants_node
    assert ledger.place(timing) is None
    ledger.release(small)
    assert ledger.place(timing) is not None


def test_the_fullest_node_is_taken_so_that_others_can_drain():
    ledger = Ledger([Node("a", 4), Node("b", 2)])
    assert [ledger.place(ResourceRequest(1, 0, "no")).node for _ in range(4)] == ["b", "b", "a", "a"]


@pytest.mark.parametrize(
    ("nodes", "resources", "expected"),
    [
        ([Node("a", 4, 1)], Resources(num_gpus="auto"), ResourceRequest(1, 1.0, "no")),
        ([Node("a", 4)], Resources(num_gpus="auto", num_cpus=3), ResourceRequest(3, 0.0, "no")),
        ([Node("a", 4), Node("b", 1, 1)], Resources(num_gpus="auto"), ResourceRequest(1, 1.0, "no")),
        ([Node("a", 4, 1)], Resources(num_gpus=0, exclusive="device"), ResourceRequest(1, 0.0, "device")),
        ([Node("a", 4, 1)], Resources(), ResourceRequest(1, 0.0, "no")),
        ([Node("a", 4, 2)], Resources(num_gpus="auto", num_ranks=2), ResourceRequest(2, 2.0, "no", 2)),
        ([Node("a", 4)], Resources(num_gpus="auto", num_ranks=2), ResourceRequest(2, 0.0, "no", 2)),
    ],
)
def test_auto_is_one_gpu_where_there_is_any(nodes, resources, expected):
    assert Ledger(nodes).request(resources) == expected


def test_a_job_that_fits_no_node_is_refused_with_what_there_is():
    ledger = Ledger([Node("a", 4), Node("b", 2, 1)])
    ledger.check_fits(ResourceRequest(2, 1.0, "no"), "v/train")
    with pytest.raises(
        ClusterError, match=r"v/train: requests 3 CPUs and 1 GPU; the largest node has 2 CPUs"
    ):
        ledger.check_fits(ResourceRequest(3, 1.0, "no"), "v/train")
    with pytest.raises(ClusterError, match="lower `resources`"):
        Ledger([]).check_fits(ResourceRequest(1, 0, "no"), "v/train")


def test_what_auto_means_is_settled_once():
    ledger = Ledger([Node("cpu", 2), Node("gpu", 2, 1)])
    ledger.remove("gpu")
    assert ledger.request(Resources(num_gpus="auto")).num_gpus == 1


def test_a_lost_node_stays_closed():
    ledger = Ledger([Node("a", 2)])
    ledger.remove("a")
    ledger.add(Node("a", 2))
    assert ledger.node_ids() == set()


def test_a_gang_prefers_one_node():
    ledger = Ledger([Node("a", 4, 2), Node("b", 8, 4)])
    placement = ledger.place(ResourceRequest(4, 4.0, "no", 4))
    assert [(part.node, part.num_ranks) for part in placement.parts] == [("b", 4)]
    assert placement.is_gang


def test_a_gang_that_fits_no_node_is_split_in_whole_ranks_and_gives_all_back():
    ledger = Ledger([Node("a", 4, 2), Node("b", 8, 4)])
    placement = ledger.place(ResourceRequest(10, 5.0, "no", 5))
    assert [(p.node, p.num_ranks, p.num_cpus, set(p.gpus), p.num_devices) for p in placement.parts] == [
        ("b", 4, 8, {0, 1, 2, 3}, 4),
        ("a", 1, 2, {0}, 1),
    ]
    assert ledger.place(ResourceRequest(1, 2.0, "no", 2)) is None
    ledger.release(placement)
    assert ledger.place(ResourceRequest(6, 6.0, "no", 6)) is not None


def test_two_gangs_never_hold_half_of_what_they_need():
    ledger = Ledger([Node("a", 2), Node("b", 2)])
    first = ledger.place(ResourceRequest(3, 0, "no", 3))
    assert ledger.place(ResourceRequest(3, 0, "no", 3)) is None
    assert ledger.place(ResourceRequest(1, 0, "no")) is not None, "the one that waits holds nothing"
    ledger.release(first)
    assert ledger.place(ResourceRequest(3, 0, "no", 3)) is not None


def test_a_gang_that_wants_its_nodes_alone_takes_drained_ones_whole():
    ledger = Ledger([Node("a", 2), Node("b", 2), Node("c", 2)])
    small = ledger.place(ResourceRequest(1, 0, "no"))
    placement = ledger.place(ResourceRequest(3, 0, "node", 3))
    assert {part.node for part in placement.parts} == {"a", "b", "c"} - {small.node}
    assert [part.num_cpus for part in placement.parts] == [2, 2]
    assert [part.num_ranks for part in placement.parts] == [2, 1]


def test_a_gang_that_all_nodes_together_cannot_hold_is_refused():
    ledger = Ledger([Node("a", 4, 2), Node("b", 2, 4)])
    ledger.check_fits(ResourceRequest(4, 4.0, "no", 4), "v/train")
    with pytest.raises(
        ClusterError, match=r"5 ranks with 1 CPU and 1 GPU each; all nodes together hold 4 of them"
    ):
        ledger.check_fits(ResourceRequest(5, 5.0, "no", 5), "v/train")


def test_a_device_that_is_closed_is_given_to_nobody_until_it_is_opened():
    ledger = Ledger([Node("a", 8, 2, "host")])
    taken = ledger.place(ResourceRequest(1, 0.5, "no"))
    assert ledger.close_device("a", 0)
    assert not ledger.close_device("a", 0)
    assert not ledger.close_device("b", 0)
    ledger.release(taken)
    assert set(ledger.place(ResourceRequest(1, 0.5, "no")).gpus) == {1}
    assert ledger.place(ResourceRequest(1, 1, "no")) is None
    ledger.open_device("a", 0)
    ledger.open_device("b", 0)
    assert set(ledger.place(ResourceRequest(1, 1, "no")).gpus) == {0}


def test_a_job_alone_on_its_node_does_not_get_a_closed_device():
    ledger = Ledger([Node("a", 8, 2, "host")])
    ledger.close_device("a", 1)
    placement = ledger.place(ResourceRequest(1, 1, "node"))
    assert placement.gpus == {0: 1.0}
    ledger.release(placement)
    assert ledger.place(ResourceRequest(1, 2, "no")) is None


AUTO = Resources(num_gpus="auto", num_cpus=2)


def test_auto_follows_gpus_that_join_later_and_stays_with_them_when_they_are_lost():
    ledger = Ledger([Node("cpu", 4)])
    assert ledger.request(AUTO).num_gpus == 0
    ledger.add(Node("gpu", 4, 2))
    assert ledger.request(AUTO).num_gpus == 1
    assert set(ledger.place(ledger.request(AUTO)).gpus) == {0}
    ledger.remove("gpu")
    assert ledger.request(AUTO).num_gpus == 1
    assert ledger.place(ledger.request(AUTO)) is None


@pytest.mark.parametrize("joins", [Node("small", 1, 8), Node("few", 8, 1)])
def test_auto_does_not_wait_for_gpus_that_joined_on_a_node_too_small_for_the_job(joins):
    ledger, wide = Ledger([Node("cpu", 8)]), Resources(num_gpus="auto", num_cpus=4, num_ranks=2)
    ledger.add(joins)
    request = ledger.request(wide)
    assert request.num_gpus == 0
    assert ledger.place(request) is not None
    ledger.add(Node("large", 8, 2))
    assert ledger.request(wide).num_gpus == 2


def test_a_node_has_a_name_for_people():
    assert Ledger([Node("a", 8, 2, "host")]).node_name("a") == "host"
    assert Ledger([]).node_name("a") == "a"


def test_others_use_is_kept_free_and_a_leaving_node_gets_nothing():
    ledger = Ledger([Node("a", 4, 2, others=(1.0, 0.5))])
    assert ledger.place(ResourceRequest(4, 0, "no")) is None
    assert ledger.place(ResourceRequest(1, 2, "no")) is None
    assert ledger.place(ResourceRequest(1, 0, "node")) is None
    placement = ledger.place(ResourceRequest(3, 1, "no"))
    assert (placement.num_cpus, placement.num_gpus) == (3, 1)
    ledger.add(Node("a", 4, 2, is_leaving=True))
    assert ledger.place(ResourceRequest(1, 0, "no")) is None
    ledger.add(Node("a", 4, 2))
    assert ledger.place(ResourceRequest(1, 1, "no")) is not None


def test_a_node_is_not_used_until_its_next_word():
    ledger = Ledger([Node("a", 4)])
    ledger.stop_using("a")
    ledger.stop_using("gone")
    assert [node.is_leaving for node in ledger.nodes()] == [True]
    assert ledger.place(ResourceRequest(1, 0, "no")) is None
    ledger.check_fits(ResourceRequest(4, 0, "node"), "it may stay")
    ledger.add(Node("a", 4))
    assert ledger.place(ResourceRequest(1, 0, "no")) is not None
