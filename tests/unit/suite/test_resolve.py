import re

import pytest

from lsbench.core.errors import ConfigError
from lsbench.suite.loader import load_suite
from lsbench.suite.resolve import MAX_JOBS


def test_a_variant_takes_the_defaults_where_it_says_nothing(tiny, write_suite):
    tiny["defaults"] |= {"mixer": "ls_conv", "mixer_args": {"kernel_large": 5}, "model_args": {"drop": 0.1}}
    tiny["variants"] = [
        {},
        {"name": "same", "mixer": "ls_conv", "mixer_args": {"kernel_small": 3}},
        {"name": "other", "mixer": "identity"},
        {"name": "own", "model": "lsnet_t", "dataset": "fashion", "model_args": {"drop": 0.2}},
    ]
    first, same, other, own = load_suite(write_suite(tiny)).variants
    assert (first.name, first.model, first.dataset["train_images"]) == ("ls_conv", "lsnet_nano", 40)
    assert first.mixer_args == {"kernel_large": 5}
    assert same.mixer_args == {"kernel_large": 5, "kernel_small": 3}
    assert other.mixer_args == {}, "options of the default mixer do not fit another one"
    assert (own.model, own.dataset["train_images"], own.model_args) == ("lsnet_t", 9000, {"drop": 0.2})


def test_the_data_set_is_filled_in_so_that_the_suite_says_all(tiny, write_suite):
    tiny["defaults"]["dataset"] = "fashion"
    dataset = load_suite(write_suite(tiny)).variants[0].dataset
    assert dataset == {
        "name": "fashion",
        "img_size": 32,
        "train_images": 9000,
        "val_images": 1000,
        "test_images": 10000,
    }


def test_the_baseline_is_the_first_variant_unless_named(tiny, write_suite):
    assert load_suite(write_suite(tiny)).baseline == "ls"
    assert load_suite(write_suite({**tiny, "baseline": "id"})).baseline == "id"


def test_resources_come_from_the_job_then_the_suite_then_the_kind(tiny, write_suite):
    tiny["resources"] = {"num_gpus": 0.5, "timeout_min": 7}
    tiny["jobs"][0]["train"]["resources"] = {"num_gpus": 2}
    tiny["jobs"][2]["profile"]["threads"] = 3
    train, evaluate, profile = (job.resources for job in load_suite(write_suite(tiny)).jobs)
    assert (train.num_gpus, train.timeout_min, train.exclusive) == (2, 7, "no")
    assert (evaluate.num_gpus, evaluate.max_retries) == (0.5, 2)
    assert (profile.exclusive, profile.num_cpus, profile.num_gpus) == ("device", 3, 0.5)
    assert (train.num_ranks, train.num_cpus) == (2, 2)
    assert (evaluate.num_ranks, evaluate.num_cpus) == (1, 1)


def test_only_what_can_be_distributed_gets_ranks(tiny, write_suite):
    tiny["resources"] = {"num_ranks": 2, "num_gpus": "auto"}
    ranks = [job.resources.num_ranks for job in load_suite(write_suite(tiny)).jobs]
    assert ranks == [2, 1, 1]
    tiny["jobs"][1] = {"evaluate": {"resources": {"num_ranks": 2}}}
    with pytest.raises(ConfigError, match=r"evaluate.resources.num_ranks: .*runs in one process"):
        load_suite(write_suite(tiny))


def test_a_batch_that_ranks_cannot_share_is_refused(tiny, write_suite):
    tiny["jobs"][0]["train"]["resources"] = {"num_ranks": 3}
    with pytest.raises(ConfigError, match=r"train.resources: a batch_size of 20 cannot be shared by 3"):
        load_suite(write_suite(tiny))


def test_ranks_share_no_gpu_and_have_no_two(tiny, write_suite):
    tiny["jobs"][0]["train"]["resources"] = {"num_ranks": 2, "num_gpus": 0.5}
    with pytest.raises(ConfigError, match=r"train.resources: num_ranks: 2 needs num_gpus: 2"):
        load_suite(write_suite(tiny))


def test_needs_come_from_the_kind_unless_given(tiny, write_suite):
    tiny["jobs"] = [
        "train",
        {"train": {"name": "long"}},
        "evaluate",
        {"evaluate": {"name": "e", "needs": ["long"]}},
    ]
    assert [job.needs for job in load_suite(write_suite(tiny)).jobs] == [(), (), ("train",), ("long",)]


def test_a_data_set_without_a_name_changes_only_some_settings_of_the_usual_one(tiny, write_suite):
    tiny["variants"] = [
        {"matrix": {"dataset.img_size": [28, 32]}, "name": "px{img_size}", "mixer": "ls_conv"}
    ]
    small, usual = load_suite(write_suite(tiny)).variants
    assert (small.name, small.dataset["img_size"], small.dataset["train_images"]) == ("px28", 28, 40)
    assert usual.dataset["img_size"] == 32


def test_an_evaluation_without_a_training_is_refused(tiny, write_suite):
    tiny["jobs"] = ["train", {"evaluate": {"needs": []}}]
    with pytest.raises(
        ConfigError, match=r"jobs\[1\]\.evaluate\.needs: 'evaluate' needs a job of kind train"
    ):
        load_suite(write_suite(tiny))


def test_a_row_may_have_settings_of_its_own(tiny, write_suite, make_graph):
    tiny["jobs"][0]["train"]["augment"] = {"flip": 0.25}
    plain = {job.label: job.id for job in make_graph(tiny).jobs}
    tiny["variants"][1]["jobs"] = {"train": {"weight_decay": 0.5, "augment": {"erase": 0.1}}}
    train = load_suite(write_suite(tiny)).jobs[0]
    own = train.spec_of["id"]
    assert (own["weight_decay"], own["epochs"], own["batch_size"]) == (0.5, 1, 20)
    assert (own["augment"]["flip"], own["augment"]["erase"]) == (0.25, 0.1)
    assert train.spec["weight_decay"] != 0.5
    graph = make_graph(tiny)
    changed = {job.label for job in graph.jobs if job.id != plain[job.label]}
    assert changed == {f"id/{job}/seed{seed}" for job in ("train", "evaluate") for seed in (0, 1)}
    assert {job.spec["weight_decay"] for job in graph.jobs if job.label.startswith("id/train")} == {0.5}


@pytest.mark.parametrize(
    ("jobs", "problem"),
    [
        ({"trian": {}}, "variants[1].jobs.trian: the suite has no job 'trian' (did you mean 'train'?)"),
        ({"train": {"epoch": 1}}, "variants[1].jobs.train.epoch: unknown key (did you mean 'epochs'?)"),
        ({"train": {"threads": 2}}, "variants[1].jobs.train.threads: is the same for every row"),
        ({"train": {"name": "x"}}, "variants[1].jobs.train.name: is the same for every row"),
        ({"train": 3}, "variants[1].jobs.train: input should be a valid dictionary, found 3"),
        (3, "variants[1].jobs: input should be a valid dictionary, found 3"),
    ],
)
def test_wrong_settings_of_a_row_are_one_problem(jobs, problem, tiny, write_suite):
    tiny["variants"][1]["jobs"] = jobs
    with pytest.raises(ConfigError) as caught:
        load_suite(write_suite(tiny))
    (found,) = caught.value.problems
    assert found.split(": ", 1)[1].startswith(problem)


def test_an_average_that_no_training_keeps_is_told_before_anything_runs(tiny, make_graph):
    tiny["jobs"] = ["train", {"evaluate": {"weights": "ema"}}]
    with pytest.raises(ConfigError, match=r"jobs\[1\].evaluate: needs 'train': .* set its ema_decay"):
        make_graph(tiny)
    tiny["variants"][0]["jobs"] = {"train": {"ema_decay": 0.9}}
    with pytest.raises(ConfigError, match="needs 'train' of id: the training keeps no moving average"):
        make_graph(tiny)
    tiny["variants"][1]["jobs"] = {"train": {"ema_decay": 0.9}}
    assert make_graph(tiny).jobs


@pytest.mark.parametrize(
    ("on", "problem"),
    [
        ("imagenet_b", "evaluate.on: unknown data set 'imagenet_b' (did you mean 'imagenet_"),
        ({"name": "imagenet_b"}, "evaluate.on.name: unknown data set 'imagenet_b' (did you mean 'imagenet_"),
        (
            {"name": "imagenet_v2", "selecton": "top-images"},
            "evaluate.on.selecton: unknown key (did you mean 'selection'?)",
        ),
        ({"name": "imagenet_v2", "selection": "best"}, "evaluate.on.selection: input should be "),
        ({"img_size": 64}, "evaluate.on: this key is required: name"),
        (7, "evaluate.on"),
    ],
)
def test_other_data_is_checked_as_the_variants_own(on, problem, tiny, write_suite):
    tiny["jobs"][1] = {"evaluate": {"on": on}}
    with pytest.raises(ConfigError) as caught:
        load_suite(write_suite(tiny))
    where, reason = caught.value.problems[0].split(": ", 1)
    assert reason.startswith(f"jobs[1].{problem}")
    assert re.fullmatch(r".*suite\.yaml:\d+", where)
    tiny["jobs"][1] = "evaluate"
    tiny["variants"][1]["jobs"] = {"evaluate": {"on": on}}
    with pytest.raises(ConfigError, match=r"variants\[1\]\.jobs\.evaluate\.on"):
        load_suite(write_suite(tiny))


@pytest.mark.parametrize("on", ["imagenet_a", {"name": "imagenet_a", "root": "somewhere"}])
def test_other_data_stays_as_it_is_written(on, tiny, write_suite):
    tiny["jobs"][1] = {"evaluate": {"on": on}}
    assert load_suite(write_suite(tiny)).jobs[1].spec["on"] == on


def test_other_data_is_named_in_a_file_as_people_write_it(tiny, write_suite):
    text = """
version: 1
name: t
defaults: {model: lsnet_nano, dataset: imagenet}
variants: [{name: v, mixer: identity}]
jobs:
  - train
  - evaluate:
      name: hard
      on: imagenet_a
  - evaluate: {name: new, on: {name: imagenet_v2, selecton: top-images}}
"""
    with pytest.raises(ConfigError) as caught:
        load_suite(write_suite(text))
    (problem,) = caught.value.problems
    expected = (
        r".*suite\.yaml:11: jobs\[2\]\.evaluate\.on\.selecton: unknown key \(did you mean 'selection'\?\)"
    )
    assert re.fullmatch(expected, problem)
    suite = load_suite(write_suite(text.replace("selecton", "selection")))
    assert [job.spec["on"] for job in suite.jobs[1:]] == [
        "imagenet_a",
        {"name": "imagenet_v2", "selection": "top-images"},
    ]


def test_the_number_of_jobs_is_bounded(tiny, write_suite):
    tiny["seeds"] = list(range(MAX_JOBS // 6 + 1))
    with pytest.raises(
        ConfigError,
        match=r"suite.yaml:1: 50004 jobs \(variants x jobs x seeds\): a suite has at most 50000",
    ):
        load_suite(write_suite(tiny))


@pytest.mark.parametrize(
    ("runtime", "given", "gpus"),
    [("openvino", None, 0), ("openvino", 0, 0), ("tensorrt", None, 1), ("onnxruntime", None, "auto")],
)
def test_a_job_asks_for_the_only_device_that_its_runtime_knows(runtime, given, gpus, tiny, write_suite):
    resources = {} if given is None else {"resources": {"num_gpus": given}}
    tiny["jobs"] = [{"profile": {"runtime": runtime, "batch_size": 1, **resources}}]
    [job] = load_suite(write_suite(tiny)).jobs
    assert job.resources.num_gpus == gpus


@pytest.mark.parametrize(
    ("runtime", "gpus", "line"),
    [("openvino", 1, "runs on CPUs alone; set 0"), ("tensorrt", 0, "runs on a GPU alone; set 1")],
)
def test_a_device_that_a_runtime_does_not_know_is_refused(runtime, gpus, line, tiny, write_suite):
    tiny["jobs"] = [{"profile": {"runtime": runtime, "batch_size": 1, "resources": {"num_gpus": gpus}}}]
    with pytest.raises(ConfigError, match=rf"profile.resources: num_gpus: .* {line}"):
        load_suite(write_suite(tiny))
