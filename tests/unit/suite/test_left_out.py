import pytest

from lsbench.core.errors import ConfigError
from lsbench.suite.graph import build_graph
from lsbench.suite.loader import load_suite


def problems(content, write_suite):
    with pytest.raises(ConfigError) as caught:
        load_suite(write_suite(content))
    return [problem.split(": ", 1)[1] for problem in caught.value.problems]


def test_a_row_is_left_out_of_jobs_for_a_reason(tiny, write_suite):
    tiny["variants"][1]["without"] = {"train": "is not trained", "evaluate": "is not trained"}
    suite = load_suite(write_suite(tiny))
    assert {job.name: job.without for job in suite.jobs} == {
        "train": {"id": "is not trained"},
        "evaluate": {"id": "is not trained"},
        "profile": {},
    }
    labels = {job.label for job in build_graph(suite).jobs}
    assert {label for label in labels if label.startswith("id/")} == {"id/profile"}
    assert "ls/train/seed0" in labels


def test_other_jobs_keep_their_ids(tiny, write_suite):
    before = {job.label: job.id for job in build_graph(load_suite(write_suite(tiny))).jobs}
    tiny["variants"][1]["without"] = {"profile": "no time"}
    after = {job.label: job.id for job in build_graph(load_suite(write_suite(tiny))).jobs}
    assert after == {label: name for label, name in before.items() if label != "id/profile"}


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        ({"trian": "x"}, "variants[1].without.trian: the suite has no job 'trian' (did you mean 'train'?)"),
        ({"train": "x"}, "variants[1].without: 'evaluate' needs 'train', and 'id' is left out of it"),
        (
            {"train": "x", "evaluate": "x", "profile": "x"},
            "variants[1].without: expected at least one job that the row is not left out of",
        ),
        (["train"], "variants[1].without: input should be a valid dictionary"),
        ({"profile": 3}, "variants[1].without.profile: input should be a valid string"),
    ],
)
def test_what_cannot_be_left_out_is_one_problem(without, reason, tiny, write_suite):
    tiny["variants"][1]["without"] = without
    (found,) = problems(tiny, write_suite)
    assert found.startswith(reason)


def test_a_job_that_a_row_cannot_do_is_no_problem_if_the_row_is_left_out_of_it(tiny, write_suite):
    tiny["jobs"] = ["profile", {"detect": {"dataset": "fashion", "backbone_weights": "none"}}]
    assert len(problems(tiny, write_suite)) == 1
    tiny["jobs"][1]["detect"]["dataset"] = "fashion_coco"
    tiny["variants"][0]["without"] = {"detect": "no maps"}
    assert load_suite(write_suite(tiny)).jobs[1].without == {"ls": "no maps"}
