from typing import ClassVar

import pytest
from pydantic import ValidationError

from lsbench.core.job import Variant
from lsbench.engine.rates import Poly
from lsbench.engine.training_spec import TrainingSpec


class Own(TrainingSpec):
    """The settings of a task of its own."""

    named: ClassVar = {"short": {"epochs": 2}}

    @property
    def rate_schedule(self):
        return Poly()


@pytest.mark.parametrize(
    ("epochs", "every", "expected"),
    [(5, 1, [0, 1, 2, 3, 4]), (5, 2, [1, 3, 4]), (5, 0, [4]), (1, 10, [0]), (6, 3, [2, 5])],
)
def test_the_last_epoch_is_always_validated(epochs, every, expected):
    spec = Own(validate_every=every)
    assert [epoch for epoch in range(epochs) if spec.validates_after(epoch, epochs=epochs)] == expected


@pytest.mark.parametrize(
    ("batch", "most", "ranks", "expected"),
    [
        (64, None, 1, 1),
        (64, None, 2, 2),
        (2048, 256, 1, 8),
        (2048, 256, 8, 8),
        (2048, 256, 16, 16),
        (64, 512, 2, 2),
    ],
)
def test_a_batch_is_cut_into_chunks_that_every_rank_shares(batch, most, ranks, expected):
    assert Own(batch_size=batch, device_batch_size=most).chunks(ranks) == expected


def test_a_batch_that_ranks_cannot_share_is_refused():
    with pytest.raises(ValueError, match=r"64 cannot be shared by 3 devices; .* multiple of 3"):
        Own(batch_size=64).chunks(3)
    with pytest.raises(ValueError, match=r"cannot be shared by 2 devices in chunks of 32 .* multiple of 64"):
        Own(batch_size=96, device_batch_size=32).check_ranks(2)


def test_a_protocol_that_no_file_system_has_is_refused_with_the_nearest():
    with pytest.raises(ValidationError, match=r"no protocol 's33' \(did you mean 's3'\?\); give e.g. s3://"):
        Own(checkpoint_url="s33://bucket/runs")
    assert Own(checkpoint_url="s3://bucket/runs").checkpoint_url == "s3://bucket/runs"


def test_a_recipe_is_one_of_the_task():
    with pytest.raises(ValidationError, match="unknown recipe 'lsnet_300e'; there are short"):
        Own(recipe="lsnet_300e")
    assert Own.named_settings({"recipe": "short"}) == {"epochs": 2}
    assert Own.named_settings({}) == {}


def test_the_last_epoch_may_be_cut_short():
    class ByUpdates(Own):
        def updates(self, steps):
            return 40

    assert Own(epochs=3).epochs_of(7) == 3
    assert ByUpdates().epochs_of(7) == 6


def test_settings_that_came_later_change_no_id_at_their_defaults():
    spec = Own().model_dump(mode="json")
    assert not Own.later_fields & Own.identity_of(spec).keys()
    assert Own.identity_of({**spec, "no_decay": ["attention_biases"]})["no_decay"] == ["attention_biases"]


@pytest.mark.parametrize(
    ("settings", "raised"),
    [
        ({}, 0),
        ({"channels_last": True}, 1),
        ({"channels_last": True, "precision": "bf16"}, 0),
        ({"channels_last": True, "threads": 2}, 0),
    ],
)
def test_only_trainings_in_the_loops_for_one_thread_have_a_new_version(settings, raised):
    variant = Variant(name="ls", model="lsnet_nano", dataset={"name": "fashion"})
    assert Own(**settings).raised_by(variant) == raised
