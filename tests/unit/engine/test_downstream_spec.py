from typing import ClassVar

import pytest
from pydantic import ValidationError

from lsbench.core.job import JobSpec
from lsbench.engine.downstream_spec import DownstreamSpec
from lsbench.engine.rates import Cosine, LinearRise, Poly


class Own(DownstreamSpec):
    """Settings of one kind of model."""

    named: ClassVar = {"falls": {"schedule": {"kind": "steps", "epochs": [2], "factor": 0.5}, "epochs": 3}}

    @property
    def model_kind(self):
        return "retinanet"


def test_it_needs_a_training_unless_weights_are_named():
    needs = [
        Own.needed_kinds(settings, ("train",))
        for settings in (
            {},
            {"backbone_weights": "train"},
            {"backbone_weights": "pretrained"},
            {"backbone_weights": "none"},
            {"backbone_weights": "lsnet_t.pth"},
            {"checkpoint": "retinanet.pth"},
            {"trained_by": "boxes"},
        )
    ]
    assert needs == [("train",), ("train",), (), (), (), (), ("boxes",)]


def test_a_file_of_the_backbones_weights_is_named():
    assert Own.weights_files({"backbone_weights": "lsnet_t.pth"}) == ("lsnet_t.pth",)
    assert Own.weights_files({}) == Own.weights_files({"backbone_weights": "none"}) == ()


def test_sizes_of_the_head_are_checked_with_the_names_there_are():
    assert Own(head={"channels": 64, "convs": 2}).sizes.channels == 64
    with pytest.raises(ValidationError, match=r"head: chanels: unknown key \(retinanet has channels, "):
        Own(head={"chanels": 64})


def test_the_budget_is_epochs_or_updates():
    assert Own(epochs=3).updates(7) == 21
    assert Own(epochs=3, iterations=40).updates(7) == 40
    assert Own(iterations=40).epochs_of(7) == 6


def test_a_loss_may_settle_through_the_warm_up():
    assert Own().settling == 50
    assert Own(warmup=LinearRise(updates=500)).settling == 500
    assert Own(warmup=LinearRise(updates=5)).settling == 50


def test_another_kind_of_schedule_replaces_that_of_the_recipe_and_the_same_kind_changes_it():
    assert Own.named_settings({"recipe": "falls"})["schedule"]["epochs"] == [2]
    assert "schedule" not in Own.named_settings({"recipe": "falls", "schedule": {"kind": "poly"}})
    assert "schedule" in Own.named_settings({"recipe": "falls", "schedule": {"factor": 0.1}})
    assert Own(schedule={"kind": "poly"}).rate_schedule == Poly()
    assert isinstance(Own().rate_schedule, Cosine)


def test_a_checkpoint_is_only_tested():
    assert Own().other_splits() == ("train", "val", "test")
    assert Own(split="val").own_splits() == ("train", "val")
    assert Own(checkpoint="a.pth").other_splits() == ("test",)


def test_how_many_images_are_tested_at_once_changes_no_result():
    spec = Own(test_batch_size=8).model_dump(mode="json")
    assert Own.identity_of(spec) == Own.identity_of(Own().model_dump(mode="json"))


@pytest.mark.parametrize(
    ("need", "message"),
    [
        (Own(head={"channels": 32}), r"trained_by: it has another head, \{'channels': 32\}"),
        (Own(dataset="coco"), "trained_by: it has another dataset, 'coco'"),
        (Own(checkpoint="a.pth"), "expected a job of the same kind that trains"),
        (JobSpec(), "expected a job of the same kind that trains"),
    ],
)
def test_only_a_training_of_the_same_model_on_the_same_data_is_tested(need, message):
    tested = Own(trained_by="boxes", corruptions=["fog"])
    tested.check_need(Own(epochs=3))
    with pytest.raises(ValueError, match=message):
        tested.check_need(need)


def test_the_weights_of_another_job_are_tested_and_nothing_is_trained():
    tested = Own(trained_by="boxes")
    assert (tested.is_trained, tested.trained_images(100), tested.other_splits()) == (False, 0, ("test",))
    with pytest.raises(ValidationError, match="checkpoint and trained_by: give one of them"):
        Own(trained_by="boxes", checkpoint="a.pth")
