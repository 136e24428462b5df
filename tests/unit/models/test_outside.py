import timm
import torch

from lsbench.models.factory import create_model
from lsbench.models.outside import problems_of, register_outside_model

NET = '''"""A net."""
from timm.models import register_model
from torch import nn


@register_model
def acme_little(pretrained=False, num_classes=10, in_chans=3, **more):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(in_chans, num_classes))
'''
FAMILY = '''"""A family."""
from timm.models import register_model
from torch import nn

from lsbench.models.token_mixer import create_mixer

MODELS = ("acme_mixing",)


@register_model
def acme_mixing(num_classes=10, in_chans=3, mixer="identity", mixer_args=None, **more):
    mix = create_mixer(mixer, in_chans, mixer_args)
    return nn.Sequential(mix, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(in_chans, num_classes))
'''


def test_models_and_families_of_another_package_are_built_by_name(install):
    install(
        {"acme.net": NET, "acme.family": FAMILY},
        {"lsbench.models": {"acme_little": "acme.net"}, "lsbench.families": {"acme": "acme.family"}},
    )
    assert register_outside_model("acme_little")
    assert not register_outside_model("resnet18")
    assert timm.is_model("acme_little")
    assert create_model("acme_little", num_classes=5, img_size=32)(torch.zeros(1, 3, 8, 8)).shape == (1, 5)
    mixed = create_model("acme_mixing", mixer="rep_mixer", num_classes=5, img_size=32)
    assert mixed.eval()(torch.zeros(1, 3, 8, 8)).shape == (1, 5)
    assert problems_of(["model=acme_little", "model=acme_mixing", "mixer=identity"]) == []


def test_each_problem_is_one_line(install):
    install(
        {"acme.empty": "x = 1", "acme.broken": "import no_such_library"},
        {
            "lsbench.models": {"acme_empty": "acme.empty"},
            "lsbench.mixers": {"acme_broken": "acme.broken", "acme_gone": "acme.gone"},
        },
    )
    empty, broken, gone = problems_of(["model=acme_empty", "mixer=acme_broken", "mixer=acme_gone"])
    assert "expected importing it to register a model 'acme_empty' with timm, found none" in empty
    assert broken.endswith("cannot be imported: ModuleNotFoundError: No module named 'no_such_library'")
    assert "entry point lsbench.mixers: acme_gone = acme.gone of acme-plugin 0.1" in gone
