import copy

import pytest
import timm
import torch
from torch import nn

from lsbench.core.registry import MIXERS
from lsbench.models.blocks import ConvNorm
from lsbench.models.conv_norm_pairs import is_batch_norm
from lsbench.models.factory import PLUGGABLE_MODELS, create_model
from lsbench.models.fusion import fuse, unfused_norms
from lsbench.suite.loader import load_suite, preset_names, shipped_suites


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


#: timm's models in the shipped suites.
IN_SUITES = sorted(
    {
        variant.model
        for suite in shipped_suites()
        for preset in preset_names(suite)
        for variant in load_suite(suite, preset=preset).variants
        if variant.model not in PLUGGABLE_MODELS
    }
)
#: Others of timm, one of each way to put convolutions and normalisations together.
OTHERS = [
    *("densenet121", "dla34", "dpn48b", "efficientvit_b0", "hgnetv2_b0", "inception_v3", "levit_128s"),
    *("mixnet_s", "mobilenetv4_conv_small", "mobileone_s0", "regnety_002", "repvgg_a0", "resnest14d"),
    *("res2net50_14w_8s", "resnetv2_50", "selecsls42", "skresnet18", "tf_efficientnet_b0", "vovnet39a"),
    *("tiny_vit_5m_224", "xception41", "ghostnet_100", "convnext_atto", "coatnet_pico_rw_224"),
]
#: Model -> norms after a convolution whose output others see too (of GhostNet as an intermediate map), or in
#: code that cannot be read.
LEFT = {
    "coatnet_pico_rw_224": 1,
    "efficientvit_b0": 4,
    "fastvit_sa12": 1,
    "ghostnet_100": 1,
    "fastvit_sa24": 1,
}
#: timm fuses modules of these in float32.
ROUNDED = ("efficientvit_m", "levit", "repvit", "tiny_vit")


def norms_in(model):
    return sum(is_batch_norm(module) for module in model.modules())


def norms_after_convolutions(model, x):
    """How many normalisations see the very tensor that a convolution returned as it runs, and its output."""
    made, seen = [], set()
    for module in model.modules():
        if isinstance(module, nn.modules.conv._ConvNd):
            module.register_forward_hook(lambda module, given, output: made.append(output))
        if is_batch_norm(module):
            module.register_forward_pre_hook(
                lambda module, given: seen.add(module) if any(given[0] is one for one in made) else None
            )
    output = model(x)
    return len(seen), output


@torch.no_grad()
@pytest.mark.parametrize("name", sorted({*IN_SUITES, *OTHERS}))
def test_timms_models_do_the_same_without_the_norms_after_their_convolutions(name):
    cfg = timm.get_pretrained_cfg(name)
    size = cfg.input_size[-1] if cfg.fixed_input_size else 128 if name == "inception_v3" else 64
    model = with_tame_statistics(create_model(name, num_classes=4, img_size=size))
    fused, x = fuse(model), torch.randn(1, 3, size, size, dtype=torch.float64)
    expected = model(x)
    rounding = (1e-6 if name.startswith(ROUNDED) else 1e-12) * float(expected.abs().max())
    left, output = norms_after_convolutions(fused, x)
    torch.testing.assert_close(output, expected, rtol=0, atol=rounding)
    assert left == LEFT.get(name, 0)
    assert unfused_norms(fused) in (None, norms_in(fused))
    count, fewer = (sum(p.numel() for p in m.parameters()) for m in (model, fused))
    assert (fewer < count) == (norms_in(fused) < norms_in(model))


def test_a_model_in_training_is_fused_too():
    model = timm.create_model("efficientvim_m1", num_classes=4)
    assert norms_in(fuse(model)) < norms_in(model)
    assert model.training


@torch.no_grad()
def test_activations_behind_a_folded_norm_stay():
    model = with_tame_statistics(timm.create_model("mobilenetv3_small_100", num_classes=4))
    fused = fuse(model)
    assert type(fused.bn1) is type(model.bn1.act) is nn.Hardswish
    assert fused.conv_stem.bias is not None
    assert model.conv_stem.bias is None


def test_what_is_left_unfused_is_told_where_something_was_folded():
    plain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4))
    folded = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4))
    hidden = nn.Sequential(nn.Conv2d(3, 4, 1), Branching(), nn.BatchNorm2d(4))
    assert [unfused_norms(fuse(model)) for model in (plain, folded, hidden)] == [None, 1, 1]
    assert unfused_norms(fuse(fuse(folded))) == 1
    assert unfused_norms(folded) is None


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@torch.no_grad()
@pytest.mark.parametrize(
    "name", ["ghostnet_100", "ghostnetv2_100", "ghostnetv3_050", "repghostnet_050", "resnet18", "vovnet39a"]
)
def test_intermediate_maps_of_timms_models_stay_the_same(name):
    model = with_tame_statistics(timm.create_model(name, num_classes=4))
    fused, x = fuse(model), torch.randn(1, 3, 64, 64, dtype=torch.float64)
    expected = model.forward_intermediates(x, intermediates_only=True)
    found = fused.forward_intermediates(x, intermediates_only=True)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert norms_in(fused) <= 1 < norms_in(model)


@torch.no_grad()
@pytest.mark.parametrize("place", ["0", "1", "1.c", "1.bn", "2.0", "2.1"])
def test_a_forward_of_its_own_stays_with_a_module(place):
    model = nn.Sequential(nn.ReLU(), ConvNorm(4, 4, 1), nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)))
    model, x = with_tame_statistics(model), torch.randn(2, 4, 5, 5, dtype=torch.float64)
    module = model.get_submodule(place)
    usual = module.forward
    module.forward = lambda x: usual(x) * 2
    torch.testing.assert_close(fuse(model)(x), model(x))
    assert norms_in(fuse(model)) == (0 if place == "0" else 1)


def test_the_maps_of_hrnet_which_inherits_methods_that_it_cannot_run_are_folded_too():
    with torch.device("meta"):
        model = timm.create_model("hrnet_w18_small", features_only=True)
    assert norms_in(fuse(model)) == 0 < norms_in(model)


@torch.no_grad()
@pytest.mark.parametrize("name", PLUGGABLE_MODELS)
def test_no_model_of_lsbench_keeps_a_norm_after_a_convolution(name):
    shallow = {"lsnet": {"depths": (1, 2, 2, 2)}, "deit_": {"depth": 1}}.get(name[:5], {})
    model = with_tame_statistics(create_model(name, num_classes=4, img_size=32, **shallow))
    fused, x = fuse(model), torch.randn(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(fused(x), model(x), rtol=0, atol=1e-12 * float(model(x).abs().max()))
    assert norms_in(fused) < norms_in(model)
    assert norms_after_convolutions(copy.deepcopy(fused), x)[0] == 0
