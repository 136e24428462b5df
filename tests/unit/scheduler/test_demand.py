from lsbench.scheduler.demand import MOST_BUNDLES, bundles
from lsbench.scheduler.ledger import ResourceRequest
from lsbench.scheduler.protocol import Placement

SMALL = ResourceRequest(1, 0.0, "no")


def test_running_jobs_keep_what_they_have_and_ready_ones_ask_for_theirs():
    running = [Placement("a", 4, {0: 1.0, 1: 1.0}, num_devices=1, further=(Placement("b", 2, {0: 0.5}),))]
    ready = [ResourceRequest(3, 0.5, "device"), SMALL]
    assert bundles(running, ready) == [
        {"CPU": 4, "GPU": 2.0},
        {"CPU": 2, "GPU": 0.5},
        {"CPU": 3, "GPU": 0.5},
        {"CPU": 1},
    ]


def test_a_gang_asks_for_each_rank_so_that_its_ranks_may_be_on_several_nodes():
    assert bundles([], [ResourceRequest(5, 3.0, "no", num_ranks=3)]) == [{"CPU": 2, "GPU": 1.0}] * 3


def test_no_more_jobs_are_asked_for_than_may_run_at_a_time():
    assert bundles([Placement("a", 1)], [SMALL] * 9, most=3) == [{"CPU": 1}] * 3
    assert bundles([Placement("a", 1)] * 3, [SMALL] * 9, most=2) == [{"CPU": 1}] * 3


def test_a_long_queue_is_cut_and_not_even_read():
    def queue():
        for _ in range(MOST_BUNDLES + 1):
            yield SMALL
        raise AssertionError("read to its end")

    assert len(bundles([], queue())) == MOST_BUNDLES


def test_with_nothing_to_do_nothing_is_asked_for():
    assert bundles([], []) == []
