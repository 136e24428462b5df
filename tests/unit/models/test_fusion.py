import pytest
import timm
import torch
from torch import nn

from lsbench.core.registry import MIXERS
from lsbench.models.factory import create_model
from lsbench.models.fusion import fuse


def with_tame_statistics(model):
    """The model in float64 and evaluation mode, its normalisations away from doing nothing."""
    torch.manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(layer.weight, 0.4, 0.6)
            nn.init.uniform_(layer.bias, -0.1, 0.1)
            nn.init.uniform_(layer.running_mean, -0.1, 0.1)
            nn.init.uniform_(layer.running_var, 0.75, 1.25)
    return model.double().eval()


@torch.no_grad()
def test_a_fused_model_follows_its_weights():
    torch.manual_seed(0)
    model = with_tame_statistics(create_model("lsnet_nano", num_classes=4, img_size=32)).float()
    fused, x = model.fuse(), torch.randn(1, 3, 32, 32)
    packed = fused.packed()
    before = fused(x)
    torch.testing.assert_close(packed(x), before, rtol=1e-4, atol=1e-5)
    for parameter in fused.parameters():
        if parameter.dim() == 4:
            parameter.data.mul_(0.5)
    assert (fused(x) - before).abs().max() > 0.01 * before.abs().max()
    torch.testing.assert_close(fused.packed()(x), fused(x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(packed(x), before, rtol=1e-4, atol=1e-5)


class Doubled(nn.Module):
    """Offers a fused form, which holds something that offers one too."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def fused(self):
        return nn.Sequential(self.inner, nn.Identity())


def test_what_a_module_offers_takes_its_place_unchanged():
    inner = Doubled(nn.ReLU())
    model = nn.Sequential(nn.Linear(2, 2), nn.ModuleDict({"deep": Doubled(inner)}))
    fused = fuse(model)
    assert type(fused[1]["deep"]) is nn.Sequential
    assert type(fused[1]["deep"][0]) is Doubled
    assert type(fuse(Doubled(nn.ReLU()))) is nn.Sequential
    assert type(model[1]["deep"]) is Doubled
    assert model.training
    assert not any(module.training for module in fused.modules())


@torch.no_grad()
@pytest.mark.parametrize("mixer", MIXERS.names())
def test_a_model_with_any_mixer_does_the_same_with_fewer_parameters(mixer):
    model = with_tame_statistics(create_model("lsnet_nano", mixer=mixer, num_classes=4, img_size=32))
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    before = model(x)
    fused = model.fuse()
    # timm fuses its cascaded group attention in float32.
    torch.testing.assert_close(fused(x), before, rtol=0, atol=1e-5 if mixer == "cga" else 1e-10)
    assert torch.equal(model(x), before)
    count, fewer = (sum(p.numel() for p in m.parameters()) for m in (model, fused))
    assert fewer < count
    torch.testing.assert_close(fuse(fused)(x), fused(x), rtol=0, atol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", ["mobileone_s0", "repvit_m0_9", "resnet18"])
def test_timm_fuses_its_own_modules(name):
    # In float32, in which some of timm's modules always fuse.
    model = with_tame_statistics(timm.create_model(name, num_classes=4)).float()
    x = torch.randn(1, 3, 32, 32)
    fused = fuse(model)
    torch.testing.assert_close(fused(x), model(x), rtol=1e-4, atol=1e-4)
    count, fewer = (sum(1 for _ in m.parameters()) for m in (model, fused))
    assert (fewer < count) == (name != "resnet18")
