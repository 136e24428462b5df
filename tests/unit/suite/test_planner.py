import pytest

from lsbench.core.errors import DataError, UsageError
from lsbench.suite.planner import make_plan, require_data


def plan(graph, *, done=(), only=(), skip=(), seeds=None):
    return make_plan(graph, done=set(done), only=list(only), skip=list(skip), seeds=seeds)


def labels(jobs):
    return {job.label for job in jobs}


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph(tiny)


def test_without_flags_everything_is_to_run(graph):
    made = plan(graph)
    assert labels(made.todo) == labels(graph.jobs)
    assert made.counts() == {"train": 4, "evaluate": 4, "profile": 2}


def test_finished_jobs_are_not_run_again(graph):
    first = graph.jobs[0]
    made = plan(graph, done=[first.id, "train-of-another-suite"])
    assert labels(made.done) == {first.label}
    assert first not in made.todo
    assert {made.state(job) for job in graph.jobs} == {"done", "to run"}
    assert made.state(first) == "done"


LS_TRAIN, LS_EVALUATE = {"ls/train/seed0", "ls/train/seed1"}, {"ls/evaluate/seed0", "ls/evaluate/seed1"}


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"only": ["ls"]}, LS_TRAIN | LS_EVALUATE | {"ls/profile"}),
        ({"only": ["profile"]}, {"ls/profile", "id/profile"}),
        ({"only": ["l?/prof*"]}, {"ls/profile"}),
        ({"only": ["ls/evaluate/seed1"]}, {"ls/train/seed1", "ls/evaluate/seed1"}),
        ({"skip": ["id", "*/train", "profile"]}, LS_TRAIN | LS_EVALUATE),
        ({"only": ["ls"], "seeds": [1]}, {"ls/train/seed1", "ls/evaluate/seed1", "ls/profile"}),
    ],
)
def test_flags_choose_jobs_with_what_they_need_and_never_shrink_the_suite(flags, expected, graph):
    made = plan(graph, **flags)
    assert labels(made.todo) == expected
    assert made.graph is graph
    assert {job.label for job in graph.jobs if made.state(job)} == expected
    assert len(made.graph.jobs) == 10


def test_flags_that_match_nothing_are_refused_with_the_nearest_name(graph):
    with pytest.raises(
        UsageError, match=r"--only profil: matches no job of suite 'tiny' \(did you mean 'profile'"
    ):
        plan(graph, only=["profil"])
    with pytest.raises(UsageError, match=r"--only and --skip leave no job of suite 'tiny'"):
        plan(graph, skip=["*"])
    with pytest.raises(UsageError, match=r"--skip nosuch: matches no job"):
        plan(graph, only=["profile"], skip=["nosuch"])
    with pytest.raises(UsageError, match=r"--seeds: \[3\] not in the suite, which has \[0, 1\]"):
        plan(graph, seeds=[0, 3])


def test_rows_that_share_a_job_share_its_state(tiny, make_graph):
    tiny["variants"].append({"name": "twin", "mixer": "identity"})
    graph = make_graph(tiny)
    made = plan(graph, done=[job.id for job in graph.jobs if job.label == "id/profile"])
    states = {job.label: made.state(job) for job in graph.jobs}
    assert states["id/profile"] == states["twin/profile"] == "done"
    assert states["id/train/seed0"] == states["twin/train/seed0"] == "to run"
    assert len(made.todo) + len(made.done) == 10


def test_absent_data_stops_only_the_jobs_that_need_it(tiny, make_graph, tmp_path):
    tiny["variants"].append({"name": "big", "dataset": "imagenet"})
    graph = make_graph(tiny, data_root=tmp_path)
    made = plan(graph)
    assert len(made.pending) == 4
    assert {made.state(job) for job in made.pending} == {"no data"}
    with pytest.raises(DataError, match="imagenet"):
        require_data(made)
    require_data(plan(graph, only=["ls"]))
    assert made.counts()["train"] == 6


def test_macs_left_are_those_of_the_jobs_left(graph):
    trains = [job for job in graph.jobs if job.kind == "train"]
    made = plan(graph, done=[trains[0].id])
    assert made.macs("train") == pytest.approx(sum(graph.cost[job.label] for job in trains[1:]))


def test_a_cost_that_nobody_knows_is_not_invented(tiny, make_graph):
    tiny["variants"].append({"name": "timm", "model": "resnet18d"})
    made = plan(make_graph(tiny))
    costs = {job.label: made.cost(job) for job in made.todo}
    assert costs["timm/profile"] is None
    assert costs["ls/profile"] > 0
    assert all(plan(make_graph(tiny, limit=2)).cost(job) is None for job in make_graph(tiny, limit=2).jobs)
