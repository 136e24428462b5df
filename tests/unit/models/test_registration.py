import inspect

import pytest
import timm
from timm.models import generate_default_cfgs, register_model
from torch import nn

from lsbench.core.errors import ConfigError
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
