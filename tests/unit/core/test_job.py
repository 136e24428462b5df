from typing import ClassVar

import pytest
from pydantic import ValidationError

from lsbench.core.job import DEFAULT_RESOURCES, Job, JobSpec, Resources, Variant, job_id


class Settings(JobSpec):
    """A first version's settings, and what came later."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"data_workers"})
    later_fields: ClassVar[frozenset[str]] = frozenset({"mixup", "pair"})

    epochs: int = 1
    data_workers: int = 0
    mixup: float = 0.0
    pair: tuple[int, ...] = (1, 2)


def variant(**changes):
    values = {"name": "v", "model": "m", "mixer": "x", "dataset": {"name": "d", "img_size": 32}}
    return Variant(**{**values, **changes})


def job(**changes):
    values = {
        "id": None,
        "kind": "train",
        "name": "train",
        "variant": variant(),
        "seed": 0,
        "spec": {"epochs": 1, "data_workers": 0},
        "needs": {},
        "resources": Resources(),
        "dataset_fingerprint": "f",
        "protocol_version": 1,
    }
    return Job(**{**values, **changes})


def identity(**changes):
    dataset = changes.pop("dataset", {"fingerprint": "f", "img_size": 32})
    return job_id(job(**changes), dataset=dataset, settings=Settings)


SAME = {
    "the variant's name": {"variant": variant(name="other")},
    "its label": {"variant": variant(label="Other")},
    "published numbers": {"variant": variant(published={"top1": 0.716})},
    "the job's name": {"name": "long"},
    "resources": {"resources": Resources(num_cpus=4, num_gpus=0.5, exclusive="node", max_retries=9)},
    "data workers": {"spec": {"epochs": 1, "data_workers": 8}},
    "later settings at their default": {
        "spec": {"epochs": 1, "data_workers": 0, "mixup": 0.0, "pair": [1, 2]}
    },
    "key order": {"spec": {"data_workers": 0, "epochs": 1}},
    "where the data lies": {"data_root": "/elsewhere"},
    "what needs are called": {"needs": {}},
}
OTHER = {
    "kind": {"kind": "evaluate"},
    "model": {"variant": variant(model="n")},
    "mixer": {"variant": variant(mixer="y")},
    "mixer options": {"variant": variant(mixer_args={"k": 1})},
    "model options": {"variant": variant(model_args={"k": 1})},
    "seed": {"seed": 1},
    "no seed": {"seed": None},
    "setting": {"spec": {"epochs": 2, "data_workers": 0}},
    "a later setting": {"spec": {"epochs": 1, "data_workers": 0, "mixup": 0.8}},
    "limit": {"limit": 1},
    "protocol": {"protocol_version": 2},
    "a need": {"needs": {"train": "train-1"}},
    "data": {"dataset": {"fingerprint": "g", "img_size": 32}},
    "image size": {"dataset": {"fingerprint": "f", "img_size": 64}},
}


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME)
def test_what_changes_no_result_changes_no_id(changes):
    assert identity(**changes) == identity()


@pytest.mark.parametrize("changes", OTHER.values(), ids=OTHER)
def test_what_can_change_a_result_changes_the_id(changes):
    assert identity(**changes) != identity()


def test_ids_of_needs_count_and_not_their_names_or_order():
    first = identity(needs={"a": "train-1", "b": "train-2"})
    assert identity(needs={"y": "train-2", "x": "train-1"}) == first
    assert identity(needs={"a": "train-1", "b": "train-3"}) != first


def test_an_id_is_pending_while_an_input_is_absent():
    assert identity(dataset=None) is None
    assert identity(needs={"train": None}) is None
    assert identity().startswith("train-")


def test_labels_are_for_people():
    assert job().label == "v/train/seed0"
    assert job(seed=None).label == "v/train"
    assert variant(label="V!").title == "V!"
    assert variant().title == "v"


@pytest.mark.parametrize("name", ["", "a/b", "../x", "-x", "a b", "<b>", "x" * 81])
def test_a_variant_name_is_fit_for_a_path(name):
    with pytest.raises(ValidationError, match="name"):
        variant(name=name)


def test_options_that_cannot_be_hashed_are_refused():
    for value in (float("inf"), {1, 2}):
        with pytest.raises(ValidationError, match="expected finite numbers"):
            variant(mixer_args={"k": value})


@pytest.mark.parametrize("share", [0, 0.125, 0.25, 0.5, 1, 2.0, "auto", None])
def test_shares_that_pack_on_devices_are_taken(share):
    assert Resources(num_gpus=share).num_gpus == share


@pytest.mark.parametrize("share", [0.3, 1.5, -1, "all"])
def test_other_shares_are_refused(share):
    with pytest.raises(ValidationError):
        Resources(num_gpus=share)


def test_resources_lie_over_one_another_field_by_field():
    mine = Resources(num_cpus=3).over(Resources(num_cpus=1, exclusive="node")).over(DEFAULT_RESOURCES)
    assert (mine.num_cpus, mine.exclusive, mine.num_gpus) == (3, "node", "auto")
    assert Resources(num_gpus=0).over(DEFAULT_RESOURCES).num_gpus == 0


@pytest.mark.parametrize(
    ("asked", "ranks", "cpus"),
    [
        ({"num_gpus": 8}, 8, 16),
        ({"num_gpus": "auto", "num_ranks": 2}, 2, 4),
        ({"num_gpus": 0, "num_ranks": 2, "num_cpus": 6}, 2, 6),
        ({"num_gpus": 4, "num_ranks": 1}, 1, 2),
        ({"num_gpus": 0.5}, 1, 2),
        ({}, 1, 2),
    ],
)
def test_several_gpus_are_one_rank_each_unless_said_otherwise(asked, ranks, cpus):
    settled = Resources(**asked).settled(threads=2, can_be_distributed=True)
    assert (settled.num_ranks, settled.num_cpus) == (ranks, cpus)


def test_what_cannot_be_distributed_is_one_process_that_sees_all_gpus():
    settled = Resources(num_gpus=8).settled(threads=1, can_be_distributed=False)
    assert (settled.num_ranks, settled.num_cpus, settled.num_gpus) == (1, 1, 8)


@pytest.mark.parametrize("gpus", [0.5, 1, 4])
def test_ranks_have_a_gpu_each_or_none(gpus):
    with pytest.raises(ValueError, match="one for each"):
        Resources(num_gpus=gpus, num_ranks=2).settled(threads=1, can_be_distributed=True)


class Reading(JobSpec):
    """Settings that name two data sets."""

    data_fields: ClassVar[tuple[str, ...]] = ("on", "against")

    on: str | dict[str, str] | None = None
    against: str | dict[str, str] | None = None


def test_data_may_be_given_by_name_or_with_settings():
    assert Reading().other_data() == ()
    assert Reading(on="a").other_data() == ({"name": "a"},)
    both = Reading(against={"name": "b", "root": "here"}, on="a")
    assert both.other_data() == ({"name": "a"}, {"name": "b", "root": "here"})


def test_where_data_lies_is_no_part_of_what_a_job_is():
    written = ("a", {"name": "a"}, {"name": "a", "root": "b", "reader": "wds"}, {"name": "a", "x": "1"})
    found = [Reading.identity_of({"threads": 1, "on": on, "against": None}) for on in written]
    assert found[0] == found[1] == found[2] == {"threads": 1, "on": {"name": "a"}, "against": None}
    assert found[3]["on"] == {"name": "a", "x": "1"}
