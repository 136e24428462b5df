import pytest
import torch

from lsbench.core.errors import ConfigError
from lsbench.models.factory import PLUGGABLE_MODELS, create_model


def test_family_members_take_a_mixer():
    assert PLUGGABLE_MODELS == ("lsnet_b", "lsnet_nano", "lsnet_s", "lsnet_t")
    model = create_model(
        "lsnet_nano",
        mixer="involution",
        mixer_args={"kernel_size": 3},
        num_classes=7,
        img_size=28,
        in_chans=1,
    ).eval()
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 7)
    assert {type(m).__name__ for m in model.modules()} >= {"Involution"}


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "vit_tiny_patch16_224"])
def test_any_timm_model_works_with_or_without_its_own_image_size(name):
    model = create_model(name, num_classes=3, img_size=32, in_chans=1).eval()
    assert model(torch.zeros(1, 1, 32, 32)).shape == (1, 3)


def problem(**arguments):
    with pytest.raises(ConfigError) as caught:
        create_model(**{"name": "lsnet_nano", "num_classes": 3, "img_size": 32, **arguments})
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


def test_unknown_names_suggest_the_nearest():
    assert problem(name="lsnet_nan") == "unknown model 'lsnet_nan' (did you mean 'lsnet_nano'?)"
    assert problem(name="resnet118").startswith("unknown model 'resnet118' (did you mean 'resnet")
    assert problem(mixer="identiti") == "unknown mixer 'identiti' (did you mean 'identity'?)"


def test_wrong_mixer_options_are_explained():
    line = problem(mixer="ls_conv", mixer_args={"kernel_larg": 5})
    assert line == "mixer 'ls_conv' has no option 'kernel_larg' (did you mean 'kernel_large'?)"
    assert problem(mixer_args={"kernel_small": 2}) == "mixer 'ls_conv': kernel_small must be odd, got 2"


def test_wrong_model_arguments_are_explained():
    line = problem(drop_path_rat=0.1)
    assert line == "model 'lsnet_nano' has no option 'drop_path_rat' (did you mean 'drop_path_rate'?)"
    assert problem(stem_stride=3) == "model 'lsnet_nano': stem_stride must be 2, 4 or 8, got 3"
    line = problem(name="mobilenetv3_small_050", no_such=1)
    assert line == "model 'mobilenetv3_small_050' has no option 'no_such'"


def test_a_model_without_a_place_for_it_takes_no_mixer():
    assert problem(name="mobilenetv3_small_050", mixer="ls_conv").startswith(
        "model 'mobilenetv3_small_050' has no pluggable token mixer; these have: lsnet_b"
    )
    assert "no pluggable token mixer" in problem(name="resnet18", mixer_args={"kernel_large": 5})
