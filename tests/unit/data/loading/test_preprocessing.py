import pytest
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from lsbench.data.loading.preprocessing import Preprocessing


def test_a_data_sets_own_way_is_that_of_deit_with_its_own_normalisation(colours):
    assert Preprocessing.of_data(colours, 96) == Preprocessing(
        96, colours.mean, colours.std, crop_pct=0.875, crop_mode="center", interpolation="bicubic"
    )


def test_a_config_changes_what_it_names():
    plain = Preprocessing(224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert plain.with_config({}) == plain
    changed = plain.with_config({"input_size": (3, 256, 256), "mean": [0.1, 0.2, 0.3], "crop_mode": "squash"})
    assert changed == Preprocessing(256, (0.1, 0.2, 0.3), (0.5, 0.5, 0.5), crop_mode="squash")


@pytest.mark.parametrize("size", [(1, 224, 224), (3, 224, 320)])
def test_images_are_square_and_rgb(size):
    with pytest.raises(ValueError, match="expected square RGB images, found "):
        Preprocessing(224, (0.5,) * 3, (0.5,) * 3).with_config({"input_size": size})


def test_normalisations_have_timms_names():
    assert Preprocessing(224, IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD).normalisation == "imagenet"
    assert Preprocessing(224, OPENAI_CLIP_MEAN, OPENAI_CLIP_STD).normalisation == "clip"
    assert Preprocessing(8, (0.1, 0.2, 0.3), (0.25, 0.5, 1.0)).normalisation == "0.1/0.2/0.3:0.25/0.5/1"
