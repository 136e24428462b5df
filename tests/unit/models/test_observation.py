import pytest
import timm
import torch

from lsbench.models.factory import create_model
from lsbench.models.observation import final_map, layers_of, mixers_of, observed, to_map


@pytest.fixture(scope="module")
def nano():
    return create_model("lsnet_nano", num_classes=3, img_size=32).eval()


def test_blocks_are_the_layers_and_every_second_one_has_the_mixer(nano):
    layers, mixers = layers_of(nano), mixers_of(nano)
    assert len(layers) == sum(nano_depths(nano))
    modules = dict(nano.named_modules())
    assert mixers
    for name, (stage, mixer) in mixers.items():
        assert name.startswith(f"blocks{stage}.")
        assert modules[name] is mixer
        assert type(mixer).__name__ == "LSConv"
    assert sum(type(module).__name__ == "LSConv" for module in nano.modules()) == len(mixers)


def nano_depths(model):
    return [sum(hasattr(layer, "mixer") for layer in stage) for stage in model.stages]


def test_what_went_through_is_seen_and_hooks_are_gone_afterwards(nano):
    images = torch.randn(2, 3, 32, 32)
    with observed(layers_of(nano)) as seen, torch.no_grad():
        nano(images)
    names = list(layers_of(nano))
    assert list(seen) == names
    assert torch.equal(seen[names[-1]].returned, nano.forward_features(images))
    before = dict(seen)
    nano(torch.zeros_like(images))
    assert seen == before


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet10t", {}),
        ("vit_tiny_patch16_224", {"img_size": 64, "depth": 2}),
        ("swin_tiny_patch4_window7_224", {"img_size": 64, "depths": (1, 1, 1, 1), "window_size": 2}),
    ],
)
def test_timms_models_have_layers_and_a_final_map(name, options):
    model = timm.create_model(name, num_classes=3, **options).eval()
    images = torch.randn(2, 3, 64, 64)
    with observed(layers_of(model)) as seen, torch.no_grad():
        found = final_map(model, images)
    assert found.shape[:2] == (2, model.num_features)
    assert found.ndim == 4
    assert len(seen) > 1
    assert mixers_of(model) == {}


def test_what_has_no_plane_is_refused():
    with pytest.raises(ValueError, match="with a plane"):
        to_map(torch.nn.Identity(), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="a square of tokens, found 5"):
        to_map(torch.nn.Identity(), torch.zeros(2, 5, 3))
