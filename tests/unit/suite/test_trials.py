import pytest
import yaml

from lsbench.suite.graph import build_graph
from lsbench.suite.loader import load_suite
from lsbench.suite.trials import (
    Found,
    expected_epochs,
    expected_share,
    rungs_of,
    search_lines,
    search_rows,
    templates,
    trial_job,
    trials_graph,
    tuned_name,
    tuned_suite,
    with_settings,
)

SPACE = {"lr": {"uniform": [1e-4, 1e-2]}, "augment.flip": {"uniform": [0, 1]}}
SETTINGS = {"lr": 0.003, "augment.flip": 0.25}


def searching(tiny, make_graph, **more):
    tiny["search"] = {"space": SPACE, "budget": {"trials": 8}, **more}
    return make_graph(tiny)


def test_settings_reach_into_mappings_and_leave_the_original_alone():
    spec = {"lr": 1.0, "augment": {"flip": 0.5}, "clip": None}
    changed = with_settings(spec, {"augment.erase": 0.1, "clip.value": 0.02, "lr": 2.0})
    assert changed == {"lr": 2.0, "augment": {"flip": 0.5, "erase": 0.1}, "clip": {"value": 0.02}}
    assert spec == {"lr": 1.0, "augment": {"flip": 0.5}, "clip": None}


def test_a_trial_is_the_job_that_a_suite_with_its_settings_has(tiny, make_graph):
    graph = searching(tiny, make_graph)
    trial = trial_job(templates(graph, 0)["ls"], graph.suite.search, 3, SETTINGS)
    tiny["jobs"][0]["train"] |= {"lr": 0.003, "augment": {"flip": 0.25}}
    same = next(job for job in make_graph(tiny).jobs if job.label == "ls/train/seed0")
    assert trial.id == same.id
    assert trial.label == "ls/train/trial3/seed0"


def test_a_trial_of_a_population_shares_its_id_with_no_plain_training(tiny, make_graph):
    graph = searching(tiny, make_graph, algorithm="pbt")
    template = templates(graph, 0)["ls"]
    ids = {trial_job(template, graph.suite.search, n, {}).id for n in range(3)}
    assert len(ids) == 3
    assert template.id not in ids
    assert trial_job(template, graph.suite.search, 0, SETTINGS).id in ids


def found(graph, variant, settings=SETTINGS):
    job = trial_job(templates(graph, 0)[variant], graph.suite.search, 1, settings)
    return Found(1, settings, job, 0.5)


def test_the_tuned_suite_is_an_ordinary_one_with_the_jobs_of_the_best_trials(tiny, make_graph, write_suite):
    tiny |= {"baseline": "id", "resources": {"timeout_min": 5}, "tags": ["smoke"]}
    tiny["jobs"][1] = {"evaluate": {"name": "test", "batch_size": 10}}
    tiny["variants"][1]["jobs"] = {"test": {"batch_size": 5}, "train": {"smoothing": 0.2}}
    graph = searching(tiny, make_graph)
    best = {name: found(graph, name) for name in ("ls", "id")}
    tuned = load_suite(write_suite(tuned_suite(graph.suite, best)))
    assert (tuned.name, tuned.search, tuned.baseline) == (tuned_name(graph.suite), None, "id")
    assert tuned.seeds == graph.suite.seeds
    rebuilt = {job.label: job for job in build_graph(tuned).jobs}
    for variant, one in best.items():
        assert rebuilt[f"{variant}/train/seed0"].id == one.job.id
        assert rebuilt[f"{variant}/train/seed0"].resources == one.job.resources
    before = {job.label: job for job in graph.jobs}
    for label, job in rebuilt.items():
        if "/train/" not in label:
            assert job.spec == before[label].spec
    assert rebuilt["id/train/seed0"].spec["smoothing"] == 0.2


def test_a_named_recipe_stays_what_it_was(tiny, make_graph, write_suite):
    tiny["jobs"] = [{"train": {"recipe": "lsnet_100e", "batch_size": 20, "epochs": 2, "augment": {}}}]
    graph = searching(tiny, make_graph)
    tuned = load_suite(write_suite(tuned_suite(graph.suite, {"ls": found(graph, "ls", {"lr": 0.1})})))
    assert build_graph(tuned).jobs[0].id == found(graph, "ls", {"lr": 0.1}).job.id


def test_rows_without_a_best_trial_are_left_out(tiny, make_graph):
    graph = searching(tiny, make_graph)
    content = yaml.safe_load(tuned_suite(graph.suite, {"id": found(graph, "id")}))
    assert [row["name"] for row in content["variants"]] == ["id"]
    assert "baseline" not in content


def test_rungs_are_a_factor_apart_and_let_their_share_pass(tiny, make_graph):
    tiny["jobs"][0]["train"]["epochs"] = 9
    search = searching(tiny, make_graph).suite.search
    assert rungs_of(search) == [1, 3]
    assert expected_epochs(search) == 8 * 1 + 8 / 3 * 2 + 1 * 6
    assert rungs_of(searching(tiny, make_graph, algorithm="tpe").suite.search) == []
    assert expected_epochs(searching(tiny, make_graph, algorithm="tpe").suite.search) == 72


def test_a_plan_says_trials_times_epochs(tiny, make_graph):
    tiny["jobs"][0]["train"]["epochs"] = 9
    graph = searching(tiny, make_graph)
    text = "\n".join(search_lines(graph))
    assert "8 trials x at most 9 epochs x 2 variants = at most 144 epochs" in text
    assert "judged after epoch 1, 3" in text
    assert [row["most_epochs"] for row in search_rows(graph)] == [72, 72]


def test_the_graph_of_trials_costs_what_the_job_costs(tiny, make_graph):
    graph = searching(tiny, make_graph)
    job = found(graph, "ls").job
    assert trials_graph(graph, [job]).cost == {job.label: graph.cost["ls/train/seed0"]}


def test_a_trial_is_expected_to_end_at_the_next_rung_unless_it_is_among_the_best(tiny, make_graph):
    tiny["jobs"][0]["train"]["epochs"] = 9
    search = searching(tiny, make_graph).suite.search
    assert expected_share(search, 0.0) == pytest.approx((1 + 2 / 3 + 6 / 9) / 9)
    assert expected_share(search, 2 / 9) == pytest.approx((3 + 6 / 3) / 9)
    assert expected_share(search, 5 / 9) == pytest.approx(1.0)
    assert expected_share(searching(tiny, make_graph, algorithm="tpe").suite.search, 0.0) == 1.0
