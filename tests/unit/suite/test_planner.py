import pytest

from lsbench.core.errors import DataError, UsageError
from lsbench.suite.planner import make_plan, require_data, require_splits


def plan(graph, *, done=(), only=(), skip=(), seeds=None, **again):
    return make_plan(graph, done=set(done), only=list(only), skip=list(skip), seeds=seeds, **again)


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


def test_a_split_that_is_not_there_stops_only_the_jobs_that_read_it(tiny, make_graph, tmp_path):
    (tmp_path / "own" / "val" / "a").mkdir(parents=True)
    (tmp_path / "own" / "val" / "a" / "0.png").write_bytes(b"1")
    tiny["defaults"]["dataset"] = {"name": "image_folder", "root": str(tmp_path / "own"), "img_size": 32}
    tiny["jobs"][1] = {"evaluate": {"weights": "fresh"}}
    graph = make_graph(tiny)
    for require in (require_data, require_splits):
        with pytest.raises(
            DataError, match=r"^ls/train/seed0: expected a 'train' split in .*own, found: test, val"
        ):
            require(plan(graph))
        require(plan(graph, skip=["train"]))


def test_macs_left_are_those_of_the_jobs_left(graph):
    trains = [job for job in graph.jobs if job.kind == "train"]
    made = plan(graph, done=[trains[0].id])
    assert made.macs("train") == (pytest.approx(sum(graph.cost[job.label] for job in trains[1:])), 0)


def test_a_cost_that_nobody_knows_is_not_invented(tiny, make_graph):
    tiny["variants"].append({"name": "timm", "model": "resnet18d"})
    made = plan(make_graph(tiny))
    costs = {job.label: made.cost(job) for job in made.todo}
    assert costs["timm/profile"] is None
    assert costs["ls/profile"] > 0
    assert all(plan(make_graph(tiny, limit=2)).cost(job) is None for job in make_graph(tiny, limit=2).jobs)


def test_flags_find_jobs_by_id_and_by_kind_too(tiny, make_graph):
    tiny["jobs"].append({"evaluate": {"name": "ema", "split": "val"}})
    graph = make_graph(tiny)
    one = next(job for job in graph.jobs if job.label == "id/profile")
    assert labels(plan(graph, only=[one.id]).todo) == {"id/profile"}
    assert labels(plan(graph, only=[f"{one.id[:-3]}*"]).todo) == {"id/profile"}
    names = {job.name for job in plan(graph, only=["evaluate"]).todo}
    assert names == {"train", "evaluate"}, "a name goes before a kind"
    tiny["jobs"][1] = {"evaluate": {"name": "plain"}}
    names = {job.name for job in plan(make_graph(tiny), only=["evaluate"]).todo}
    assert names == {"train", "plain", "ema"}


RERUN = [
    ({"rerun": ["profile"]}, {"ls/profile", "id/profile"}),
    ({"rerun": ["ls/evaluate/seed1"]}, {"ls/evaluate/seed1"}),
    ({"rerun": ["ls/train/seed0"]}, {"ls/train/seed0", "ls/evaluate/seed0"}),
    ({"rerun": ["ls/train*"], "seeds": [1]}, {"ls/train/seed1", "ls/evaluate/seed1"}),
    (
        {"rerun": ["train"], "only": ["id"]},
        {"id/train/seed0", "id/train/seed1", "id/evaluate/seed0", "id/evaluate/seed1"},
    ),
    ({"rerun": ["profile"], "skip": ["id"]}, {"ls/profile"}),
    ({"rerun": ["profile", "ls/evaluate/seed0"]}, {"ls/profile", "id/profile", "ls/evaluate/seed0"}),
]


@pytest.mark.parametrize(("flags", "expected"), RERUN)
def test_jobs_run_again_with_all_that_need_them(flags, expected, graph):
    made = plan(graph, done=graph.by_id(), **flags)
    assert labels(made.todo) == labels(made.again) == expected
    assert {made.state(job) for job in made.todo} == {"to rerun"}
    assert labels(made.done).isdisjoint(expected)
    assert made.left_out == {}


def test_the_kind_and_the_id_name_jobs_to_run_again(tiny, make_graph):
    tiny["jobs"][1] = {"evaluate": {"name": "plain"}}
    graph = make_graph(tiny)
    made = plan(graph, done=graph.by_id(), rerun=["evaluate"])
    assert {job.name for job in made.todo} == {"plain"}
    one = made.todo[0]
    assert labels(plan(graph, done=graph.by_id(), rerun=[one.id]).todo) == {one.label}


def test_a_comparison_with_another_row_runs_again_with_the_training_of_that_row(tiny, make_graph):
    tiny["jobs"].append({"analyze": {"name": "cka", "kind": "cka", "other": "id"}})
    graph = make_graph(tiny)
    again = labels(plan(graph, done=graph.by_id(), rerun=["id/train/seed0"]).again)
    assert again == {"id/train/seed0", "id/evaluate/seed0", "ls/cka/seed0", "id/cka/seed0"}


def test_what_needs_a_job_that_runs_again_no_longer_counts_even_if_a_flag_leaves_it_out(graph):
    made = plan(graph, done=graph.by_id(), rerun=["ls/train/seed0"], skip=["evaluate"])
    assert labels(made.todo) == {"ls/train/seed0"}
    assert labels(made.again) == {"ls/train/seed0", "ls/evaluate/seed0"}
    assert made.left_out == {"--skip": 1}


def test_jobs_without_a_result_just_run_and_inconclusive_ones_run_again(graph):
    ids = {job.label: job.id for job in graph.jobs}
    done = set(ids.values()) - {ids["id/train/seed0"], ids["id/evaluate/seed0"]}
    made = plan(graph, done=done, rerun=["id/train/seed0"])
    assert labels(made.todo) == {"id/train/seed0", "id/evaluate/seed0"}
    assert (made.again, made.state(made.todo[0])) == ((), "to run")
    made = plan(graph, done=set(ids.values()), inconclusive={ids["ls/profile"], "profile-of-another-suite"})
    assert labels(made.todo) == labels(made.again) == {"ls/profile"}
    assert plan(graph, done=set(ids.values()), inconclusive={ids["ls/profile"]}, only=["id"]).todo == ()


def test_a_rerun_that_matches_nothing_is_refused(graph):
    with pytest.raises(
        UsageError, match=r"--rerun profil: matches no job of suite 'tiny' \(did you mean 'profile'"
    ):
        plan(graph, done=graph.by_id(), rerun=["profil"])
    with pytest.raises(
        UsageError, match=r"--rerun id/\*: the other flags leave out all jobs that it matches"
    ):
        plan(graph, done=graph.by_id(), rerun=["id/*"], only=["ls"])
    with pytest.raises(UsageError, match="--rerun"):
        plan(graph, done=graph.by_id(), rerun=[""])


def test_jobs_left_out_are_counted_by_the_flag_that_does_it(tiny, make_graph):
    tiny["variants"].append({"name": "twin", "mixer": "identity"})
    graph = make_graph(tiny)
    assert plan(graph).left_out == {}
    assert plan(graph, skip=["evaluate", "profile"]).left_out == {"--skip": 6}
    assert plan(graph, only=["ls"]).left_out == {"--only": 5}
    assert plan(graph, only=["id"]).left_out == {"--only": 5}, "the twin's jobs are those of id"
    assert plan(graph, only=["ls", "id"], skip=["profile"], seeds=[0]).left_out == {"--skip": 2, "--seeds": 4}
    done = [job.id for job in graph.jobs if job.variant.name == "ls"]
    made = plan(graph, done=done, only=["id"])
    assert (made.left_out, made.left_out_text()) == ({}, "")
    assert plan(graph, only=["ls"], skip=["profile"]).left_out_text() == "5 by --only, 1 by --skip"
