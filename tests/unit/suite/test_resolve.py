import pytest

from lsbench.core.errors import ConfigError
from lsbench.suite.loader import load_suite


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
    assert train.num_cpus == 1


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
