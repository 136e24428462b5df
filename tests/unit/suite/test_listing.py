import pytest

from lsbench.core.registry import MIXERS
from lsbench.suite.listing import REGISTRIES, named_things, plan_lines, plan_rows
from lsbench.suite.loader import shipped_suites
from lsbench.suite.planner import make_plan


@pytest.mark.parametrize("what", [*REGISTRIES, "suites"])
def test_everything_has_a_name_and_a_title(what):
    found = list(named_things(what))
    assert found
    assert all(name and title for name, title in found)


def test_listed_names_are_those_that_a_suite_can_use():
    assert [name for name, _ in named_things("mixers")] == MIXERS.names()
    assert [name for name, _ in named_things("suites")] == list(shipped_suites())
    assert "lsnet_t" in dict(named_things("models"))


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
