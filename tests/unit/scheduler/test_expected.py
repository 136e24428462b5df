import pytest

from lsbench.scheduler.expected import ExpectedDurations
from lsbench.scheduler.pace import keys_of
from lsbench.store.durations import Duration, add_duration
from lsbench.store.results import ResultsFolder
from lsbench.suite.planner import make_plan


@pytest.fixture
def folder(tmp_path):
    found = ResultsFolder(tmp_path / "results" / "tiny" / "default")
    found.create()
    return found


@pytest.fixture
def plan(tiny, make_graph):
    tiny["defaults"]["dataset"] = {"name": "fashion", "train_images": 2000}
    return make_plan(make_graph(tiny), done=set(), only=[], skip=[], seeds=None)


def ids(plan, kind):
    return [str(job.id) for job in plan.todo if job.kind == kind]


def test_nothing_is_known_at_first_and_a_job_tells_of_those_like_it(plan, folder):
    expected = ExpectedDurations(plan, folder)
    first, second, *_ = ids(plan, "train")
    assert expected.of(first) is None
    expected.learn(first, 30.0)
    assert expected.of(second) == pytest.approx(30.0)
    trained, tested = (plan.graph.cost[f"ls/{kind}/seed0"] for kind in ("train", "evaluate"))
    assert expected.of(ids(plan, "evaluate")[0]) == pytest.approx(30.0 * tested / trained)


def test_runs_of_before_tell_the_start_too(plan, folder):
    train = next(job for job in plan.todo if job.kind == "train")
    add_duration(folder, Duration(keys_of(train), plan.graph.cost[train.label], 2.0, 10.0))
    assert ExpectedDurations(plan, folder).of(str(train.id)) == pytest.approx(12.0)


def test_a_job_whose_kind_declares_its_seconds_is_known(tiny, make_graph, folder):
    tiny["jobs"] = [{"profile": {"batch_size": 2, "max_s": 10, "min_s": 0}}]
    plan = make_plan(make_graph(tiny), done=set(), only=[], skip=[], seeds=None)
    name = str(plan.todo[0].id)
    assert ExpectedDurations(plan, folder).of(name) == plan.graph.seconds[plan.todo[0].label]
