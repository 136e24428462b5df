import pytest
from pydantic import ValidationError

from lsbench.data.loading.augment import Augment


def test_defaults_flip_and_nothing_else():
    assert Augment() == Augment(
        flip=0.5, random_resized_crop=False, auto_augment=None, erase=0.0, crop_padding=0
    )


@pytest.mark.parametrize("wrong", [{"flip": 1.5}, {"erase": -0.1}, {"crop_padding": -1}, {"flop": 0.5}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        Augment(**wrong)
