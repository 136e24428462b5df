import subprocess
import sys
from functools import partial

import pytest
import timm
import torch

from lsbench.core.errors import ConfigError
from lsbench.models.factory import PLUGGABLE_MODELS, create_model


def test_family_members_take_a_mixer():
    assert PLUGGABLE_MODELS == (
        "deit_tiny_ls",
        "lsnet_b",
        "lsnet_b_distill",
        "lsnet_nano",
        "lsnet_s",
        "lsnet_s_distill",
        "lsnet_t",
        "lsnet_t_distill",
        "resnet50_ls",
    )
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


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "vit_tiny_patch16_224", "poolformer_s12"])
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
        "model 'mobilenetv3_small_050' has no pluggable token mixer; these have: deit_tiny_ls"
    )
    assert "no pluggable token mixer" in problem(name="resnet18", mixer_args={"kernel_large": 5})


def test_a_checkpoint_is_loaded_by_name_of_its_file(tmp_path):
    torch.manual_seed(0)
    source = create_model("lsnet_nano", num_classes=3, img_size=32).eval()
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    arguments = {"num_classes": 3, "img_size": 32, "checkpoint": str(tmp_path / "weights.pth")}
    model = create_model("lsnet_nano", **arguments).eval()
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(model(x), source(x))


def test_wrong_weights_are_explained(tmp_path):
    line = problem(checkpoint=str(tmp_path / "none.pth"))
    assert line == f"checkpoint '{tmp_path / 'none.pth'}' does not exist"
    assert problem(checkpoint=5) == "model 'lsnet_nano': checkpoint must be a file or an address, got 5"
    assert problem(checkpoint="a.pth", pretrained=True) == (
        "model 'lsnet_nano': give either `pretrained` or `checkpoint`, not both"
    )
    assert "no pretrained weights" in problem(pretrained=True)


def test_weights_that_cannot_be_fetched_are_one_line(tmp_path, monkeypatch):
    nowhere = {"hf_hub_id": None, "url": (tmp_path / "none.pth").as_uri()}
    monkeypatch.setattr(timm, "create_model", partial(timm.create_model, pretrained_cfg_overlay=nowhere))
    line = problem(name="lsnet_t", img_size=224, pretrained=True)
    assert line.startswith("model 'lsnet_t': its weights cannot be fetched; give a file as `checkpoint`: ")


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"checkpoint_path": "evil.pth"}, "checkpoint_path"),
        ({"pretrained": True, "pretrained_cfg": {"file": "evil.pth"}}, "pretrained_cfg"),
        ({"pretrained": True, "pretrained_cfg_overlay": {"url": "file:evil.pth"}}, "pretrained_cfg_overlay"),
        ({"mixer": "ls_conv", "mixer_args": {"weights": "evil.pth"}}, "weights"),
    ],
)
def test_no_argument_names_a_file_or_an_address(arguments, place):
    assert problem(**arguments).startswith(f"model 'lsnet_nano': {place}: a suite may not ")


def test_importing_the_package_tells_timm_of_every_model():
    code = f"import lsbench.models, timm; assert all(map(timm.is_model, {PLUGGABLE_MODELS!r}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_wrong_arguments_of_models_of_timm_are_named():
    for arguments in ({"layers": 3}, {"block": "x"}, {"act_layer": "nope"}):
        with pytest.raises(
            ConfigError, match=r"^model 'resnet18' cannot be made with model_args {\""
        ) as told:
            create_model("resnet18", num_classes=2, img_size=32, **arguments)
        assert next(iter(arguments)) in str(told.value)
