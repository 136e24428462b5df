import pytest

from lsbench.core.catalog import counted_macs, known_macs
from lsbench.core.registry import MIXERS
from lsbench.corruptions import BENCHMARK, VALIDATION
from lsbench.suite.graph import build_graph
from lsbench.suite.listing import REGISTRIES, named_things, plan_lines, plan_rows
from lsbench.suite.loader import load_suite, shipped_suites
from lsbench.suite.planner import make_plan


@pytest.mark.parametrize("what", [*REGISTRIES, "suites", "models", "corruptions", "recipes"])
def test_everything_has_a_name_and_a_title(what):
    found = list(named_things(what))
    assert found
    assert all(name and title for name, title in found)


def test_listed_names_are_those_that_a_suite_can_use():
    assert [name for name, _ in named_things("mixers")] == MIXERS.names()
    assert [name for name, _ in named_things("suites")] == list(shipped_suites())
    models = dict(named_things("models"))
    assert (models["lsnet_t"], models["resnet18"]) == ("takes a token mixer", "timm")


def test_corruptions_are_listed_in_their_two_groups_and_recipes_by_what_they_are():
    groups = [(name, title.split(":")[0]) for name, title in named_things("corruptions")]
    expected = [*((name, "benchmark") for name in BENCHMARK), *((name, "validation") for name in VALIDATION)]
    assert groups == expected
    assert dict(named_things("recipes"))["lsnet_300e"].startswith("LSNet on ImageNet-1K: 300 epochs")


def test_a_plan_has_one_row_per_chosen_job(tiny, make_graph):
    graph = make_graph(tiny)
    done = {graph.jobs[0].id}
    made = make_plan(graph, done=done, only=["ls"], skip=[], seeds=None)
    rows = list(plan_rows(made))
    assert [row["job"] for row in rows] == [job.label for job in graph.jobs if job.variant.name == "ls"]
    assert [row["state"] for row in rows].count("done") == 1
    assert sum(row["estimated_macs"] for row in rows) == pytest.approx(
        sum(graph.cost[row["job"]] for row in rows)
    )


def test_a_plan_for_people_shows_states_missing_data_and_what_is_left(tiny, make_graph, tmp_path):
    tiny["description"] = "What it is for."
    tiny["variants"].append({"name": "big", "dataset": "imagenet"})
    graph = make_graph(tiny, data_root=tmp_path)
    text = "\n".join(plan_lines(make_plan(graph, done=set(), only=[], skip=[], seeds=None)))
    assert "tiny (default): 3 variants, seeds [0, 1]" in text
    assert "What it is for." in text
    assert "no data  big/train/seed0" in text
    assert "pending" in text
    assert f"data: {str(tmp_path)[:3]}" in text or str(tmp_path) in text
    assert "left: 6 train (" in text
    assert text.endswith("done: 0")


def test_a_finished_plan_has_nothing_left(tiny, make_graph):
    graph = make_graph(tiny)
    made = make_plan(graph, done=set(graph.by_id()), only=[], skip=[], seeds=None)
    assert list(plan_lines(made))[-1] == "  left: nothing; done: 10"


def test_a_plan_shows_published_numbers_beside_the_costs_counted_here(make_graph, tiny, tmp_path):
    tiny["source"] = "A paper, Table 5"
    tiny["published_only"] = [{"name": "PVT", "published": {"macs_paper": 1.9e9}, "reason": "not in timm"}]
    tiny["variants"] = [
        {
            "name": "ls",
            "model": "lsnet_t",
            "dataset": {"img_size": 224},
            "label": "LSNet-T",
            "published": {"macs_paper": 0.31e9, "top1": 0.716},
        },
        {"name": "unknown", "model": "resnet18d"},
    ]
    graph = make_graph(tiny)
    lines = list(plan_lines(make_plan(graph, done=set(), only=[], skip=[], seeds=None)))
    start = lines.index("  published in A paper, Table 5:")
    macs = counted_macs({"model": "lsnet_t"}, 224)
    assert [line.split("  ") for line in (" ".join(row.split()) for row in lines[start + 1 : start + 5])] == [
        ["row FLOPs (G) here published FLOPs (G) published top-1 (%)"],
        [f"LSNet-T {macs / 1e9:.4f} 0.31 71.6"],
        ["unknown - - -"],
        ["PVT - 1.9 - not run: not in timm"],
    ]
    rows = list(plan_rows(make_plan(graph, done=set(), only=["ls"], skip=[], seeds=None)))
    assert {row["published"]["top1"] for row in rows} == {0.716}


@pytest.mark.parametrize("number", range(1, 10))
def test_the_plan_of_every_table_of_the_paper_shows_what_it_would_cost(number, tmp_path):
    suite = load_suite(f"paper/table{number}")
    graph = build_graph(suite, data_root=tmp_path)
    assert graph.guessed == frozenset()
    made = make_plan(graph, done=set(), only=[], skip=[], seeds=None)
    train = next((job for job in suite.jobs if job.kind == "train"), None)
    macs = [counted_macs(v.model_identity(), v.dataset["img_size"]) for v in suite.variants]
    if train is None:
        assert made.macs("train")[0] == 0
        assert made.macs("profile")[0] > sum(macs)
    else:
        assert made.macs("train")[0] == pytest.approx(3 * train.spec["epochs"] * 1_281_167 * sum(macs))
        # Table 4 is tested on ImageNet-A, -R and -Sketch, and on 75 cells of -C beside the clean images.
        images = {4: 50_000 + 7_500 + 30_000 + 50_889}.get(number, 50_000)
        assert made.macs("evaluate")[0] == pytest.approx(images * sum(macs))
        # Every row sees ImageNet-C at 224 px, whatever its own size.
        at_224 = sum(known_macs(v.model_identity(), 224) for v in suite.variants)
        assert made.macs("robustness")[0] == pytest.approx({4: 76 * 50_000}.get(number, 0) * at_224)


def test_a_total_says_how_many_jobs_it_leaves_out(tiny, make_graph):
    tiny["variants"] = [{"model": "lsnet_nano"}, {"model": "resnet18d"}]
    graph = make_graph({**tiny, "baseline": "lsnet_nano", "seeds": [0]})
    [left] = [
        line
        for line in plan_lines(make_plan(graph, done=set(), only=[], skip=[], seeds=None))
        if "left" in line
    ]
    assert "2 train (at least " in left
    assert "MACs, 1 job unknown)" in left
    only = make_plan(graph, done=set(), only=["resnet18d/train"], skip=[], seeds=None)
    assert "left: 1 train (cost unknown)" in "\n".join(plan_lines(only))
