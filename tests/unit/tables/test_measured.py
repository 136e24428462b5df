import pytest

from lsbench.core.quantity import quantity
from lsbench.tables.cells import Column
from lsbench.tables.frames.load import load_table
from lsbench.tables.measured import Measured

TOP1 = Column("top1", quantity("top1"), "test|n=20|v1", "fashion", frozenset({"evaluate"}), kind="evaluate")
LATENCY = Column("latency_ms", quantity("latency_ms"), "b=1|v1", None, frozenset({"profile"}), kind="profile")


@pytest.fixture
def measured(tiny, make_graph, fill_store, records_of):
    def records(job):
        if job.variant.name == "new":
            return None
        found = records_of(job, top1=0.5 + (job.seed or 0) / 10)
        if job.kind == "profile":
            found = [{**r, "ci_low": 4.0, "ci_high": 6.0} for r in found]
        if job.label == "id/profile":
            found = [{**r, "value": None if r["metric"] == "latency_ms" else r["value"]} for r in found]
        return found

    failed = ("id/train/seed1", "id/evaluate/seed1")
    tiny["variants"].append({"name": "new", "mixer": "large_small_static"})
    return Measured(load_table([fill_store(make_graph(tiny), records, failed=failed)]))


def test_values_are_by_seed_and_of_the_column_alone(measured):
    assert measured.values("ls", TOP1) == {0: 0.5, 1: 0.6}
    assert measured.values("id", TOP1) == {0: 0.5}
    assert measured.values("ls", LATENCY) == {-1: 5.0}
    assert measured.values("ls", Column("top1", quantity("top1"), "other|v1", "fashion")) == {}
    assert measured.values("ls", Column("top1", quantity("top1"), "test|n=20|v1", "other")) == {}
    assert measured.values("nobody", TOP1) == {}


def test_what_is_expected_counts_seeds_that_failed(measured):
    assert [measured.expected(name, TOP1) for name in ("ls", "id", "nobody")] == [2, 2, 1]
    assert measured.expected("ls", LATENCY) == 1


def test_a_single_number_has_the_interval_that_was_measured_with_it(measured):
    found = measured.single("ls", LATENCY, 5.0)
    assert (found.value, found.low, found.high, found.n) == (5.0, 4.0, 6.0, 1)


def test_a_hole_says_why(measured):
    assert measured.hole("id", TOP1) == "failed"
    assert measured.hole("id", LATENCY) == "inconclusive"
    assert measured.hole("new", TOP1) == "waiting"
    assert measured.hole("ls", Column("mce", quantity("mce"), "c|v1", kind="robustness")) == "missing"
