import inspect
import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import generate_default_cfgs, register_model
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.models.factory import create_model
from lsbench.models.registration import build_variant, describe_variant, inherit_options


class Parent(nn.Module):
    def __init__(self, layers, width=4, depth=2, num_classes=1000, in_chans=3):
        super().__init__()
        if width % 2:
            raise ValueError(f"width must be even, got {width}")
        self.layers, self.width, self.depth = layers, width, depth


@inherit_options(Parent, fixed=("layers",))
class Child(Parent):
    def __init__(self, *, mixer="identity", depth=3, **parent_args):
        super().__init__(layers=1, depth=depth, **parent_args)
        self.mixer = mixer


default_cfgs = generate_default_cfgs({"registration_child": describe_variant(first_conv="stem")})


@register_model
def registration_child(pretrained=False, **options):
    return build_variant(
        Child, "registration_child", options, pretrained=pretrained, size={"width": 6, "depth": 5}
    )


def test_a_signature_lists_own_options_then_the_parents():
    parameters = inspect.signature(Child).parameters
    assert {name: p.default for name, p in parameters.items()} == {
        "mixer": "identity",
        "depth": 3,
        "width": 4,
        "num_classes": 1000,
        "in_chans": 3,
    }


def test_options_overrule_the_size_and_the_size_the_default():
    model = registration_child(depth=7)
    assert (model.depth, model.width, model.mixer) == (7, 6, "identity")
    assert model.pretrained_cfg["first_conv"] == "stem"
    assert model.pretrained_cfg["input_size"] == (3, 224, 224)


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        (
            {"dept": 1, "layers": 3},
            [
                "has no option 'dept' (did you mean 'depth'?)",
                "has no option 'layers'; its options are: mixer, depth, width, num_classes, in_chans",
            ],
        ),
        ({"pretrained": True}, [": no pretrained weights come with lsbench; leave `pretrained` out"]),
        ({"width": 3}, [": width must be even, got 3"]),
    ],
)
def test_what_is_wrong_is_said_in_a_line_each(options, problems):
    with pytest.raises(ConfigError) as caught:
        registration_child(**options)
    lead = "model 'registration_child'"
    assert [p.removeprefix(lead).removeprefix(" ") for p in caught.value.problems] == problems


def test_small_images_are_not_cropped():
    assert describe_variant(img_size=32)["crop_pct"] == 1.0
    assert describe_variant(img_size=224)["crop_pct"] == 0.875


@pytest.mark.parametrize("name", ["lsnet_nano", "resnet50_ls", "deit_tiny_ls"])
@pytest.mark.parametrize("stages", [(0, 12), (-13,), 13, 0, (), "all", (1.5,)], ids=repr)
def test_stages_that_a_model_lacks_are_named_with_those_that_it_has(name, stages):
    with pytest.raises(ConfigError) as caught:
        timm.create_model(name, features_only=True, out_indices=stages)
    (problem,) = caught.value.problems
    last = {"lsnet_nano": 3, "resnet50_ls": 4, "deit_tiny_ls": 11}[name]
    assert problem == (
        f"model '{name}': out_indices must be numbers of stages from 0 to {last}, or how many of the "
        f"last ones to take, got {stages!r}"
    )


@pytest.mark.parametrize("name", ["lsnet_nano", "resnet50_ls"])
def test_stages_are_counted_from_either_end(name):
    def channels(stages):
        return timm.create_model(name, features_only=True, out_indices=stages).feature_info.channels()

    assert channels(2) == channels((-2, -1))
    assert channels([0, -1]) == [channels((0,))[0], channels(1)[0]]
    with pytest.raises(ConfigError, match=r"out_indices .* got \(9,\)"):
        timm.create_model(name, features_only=True, feature_cfg={"out_indices": (9,)})


# --- weights from a file or folder by timm's cfg ------------------------------------------------------------

SMALL = {"lsnet_nano": {"img_size": 32}, "deit_tiny_ls": {"img_size": 32, "depth": 3}, "resnet50_ls": {}}


def truncated(path):
    torch.save(nn.Linear(9, 9).state_dict(), path)
    path.write_bytes(path.read_bytes()[:700])


#: What stands where weights should -> what it is called.
WRONG_FILES = {
    "page": (lambda path: path.write_text("<!DOCTYPE html><html></html>"), "is a web page, not weights"),
    "pointer": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\nsize 9\n"),
        "is a pointer of Git LFS",
    ),
    "empty": (lambda path: path.write_bytes(b""), "is damaged or not a checkpoint"),
    "truncated": (truncated, "is damaged or not a checkpoint"),
    "folder": (Path.mkdir, "is a folder; name the file in it"),
    "nothing": (lambda path: None, "does not exist"),
    "others": (
        lambda path: torch.save({"a": torch.ones(2)}, path),
        "does not fit model 'NAME': .* weights missing .*; 1 unknown to it",
    ),
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("what", WRONG_FILES)
@pytest.mark.parametrize("name", SMALL)
def test_timm_tells_in_one_line_what_a_file_is_that_holds_no_weights(name, what, suffix, tmp_path):
    write, told = WRONG_FILES[what]
    path = tmp_path / f"file{suffix}"
    write(path)
    with pytest.raises(ConfigError, match=told.replace("NAME", name)) as caught:
        timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": str(path)}, **SMALL[name])
    (problem,) = caught.value.problems
    assert problem.startswith(f"checkpoint '{path}' ")
    assert "\n" not in problem


@pytest.mark.parametrize("what", ["page", "pointer", "nothing"])
def test_timm_tells_what_a_folder_of_a_model_has_instead_of_weights(what, tmp_path):
    cfg = {"architecture": "lsnet_nano", "num_classes": 1000, "pretrained_cfg": {"num_classes": 1000}}
    (tmp_path / "config.json").write_text(json.dumps(cfg))
    write, told = WRONG_FILES[what]
    write(tmp_path / "model.safetensors")
    told = "expected a file of weights such as model.safetensors" if what == "nothing" else told
    with pytest.raises(ConfigError, match=told):
        timm.create_model(f"local-dir:{tmp_path}", pretrained=True)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    "options",
    [{}, {"num_classes": 10}, {"num_classes": 0}, {"in_chans": 1}, {"features_only": True}],
    ids=str,
)
def test_timm_loads_from_a_cfg_what_lsbench_loads_from_a_checkpoint(name, options, tmp_path):
    made = {**SMALL[name], "num_classes": 7, **options}
    torch.manual_seed(1)
    source = {**timm.create_model(name, num_classes=7, **SMALL[name]).state_dict()}
    save_file(source, tmp_path / "model.pth")  # its content tells what it is
    torch.save({"module." + key: value for key, value in source.items()}, tmp_path / "wrapped.safetensors")
    for path in map(str, tmp_path.iterdir()):
        torch.manual_seed(2)
        timms = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": path}, **made)
        torch.manual_seed(2)
        ours = create_model(name, checkpoint=path, **{"img_size": 224, **made})
        assert timms.pretrained_cfg["file"] == path
        assert timms.state_dict().keys() == ours.state_dict().keys()
        for one, other in zip(timms.state_dict().values(), ours.state_dict().values(), strict=True):
            assert torch.equal(one, other)
