import pytest
import torch
from timm.optim import create_optimizer_v2
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.models.backbone import LSNet, LSNetDistilled
from lsbench.models.blocks import Attention
from lsbench.models.mixers.ls_conv import LSConv

SMALL = {
    "img_size": 32,
    "stem_stride": 2,
    "embed_dims": (16, 16, 24, 32),
    "depths": (2, 2, 2, 2),
    "num_classes": 5,
}


def test_stem_shrinks_by_its_stride():
    x = torch.zeros(1, 3, 32, 32)
    for stride in (2, 4, 8):
        model = LSNet(**{**SMALL, "stem_stride": stride}).eval()
        assert model.patch_embed(x).shape == (1, 16, 32 // stride, 32 // stride)


@pytest.mark.parametrize("img_size", [28, 33, 48, (40, 24)])
def test_any_image_size_can_be_built(img_size):
    height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
    model = LSNet(**{**SMALL, "img_size": img_size}).eval()
    assert model(torch.zeros(2, 3, height, width)).shape == (2, 5)
    assert LSNet(**SMALL, output_stride=16).feature_info[-1]["reduction"] == 16


def test_even_depths_mix_with_the_extra_convolution_and_odd_ones_with_the_mixer():
    model = LSNet(**SMALL)
    mixers = [m.mixer for stage in model.stages for m in stage if hasattr(m, "mixer")]
    assert [type(mixer).__name__ for mixer in mixers] == ["RepVGGDW", "LSConv"] * 3 + ["RepVGGDW", "Residual"]
    assert isinstance(mixers[-1].m, Attention)


def test_parts_of_the_block_can_be_left_out():
    kinds = {type(m).__name__ for m in LSNet(**SMALL, has_extra_dw=False, has_se=False).modules()}
    assert not kinds & {"RepVGGDW", "SEModule"}


def test_mixer_options_reach_every_stage():
    model = LSNet(**SMALL, mixer_args={"kernel_large": 5})
    kernels = {m.lkp.cv2.c.kernel_size for m in model.modules() if isinstance(m, LSConv)}
    assert kernels == {(5, 5)}


def test_drop_path_rises_to_its_rate():
    model = LSNet(**SMALL, drop_path_rate=0.7)
    rates = [m.drop_prob for m in model.modules() if type(m).__name__ == "DropPath"]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(0.7)


def test_classifier_can_be_replaced_or_left_out():
    model = LSNet(**SMALL).eval()
    x = torch.zeros(1, 3, 32, 32)
    model.reset_classifier(7)
    assert model(x).shape == (1, model.num_classes) == (1, 7)
    assert model.forward_head(model.forward_features(x), pre_logits=True).shape == (1, model.num_features)
    model.reset_classifier(0)
    assert isinstance(model.get_classifier(), nn.Identity)
    assert model(x).shape == (1, 32)
    with pytest.raises(ValueError, match=r"global_pool must be one of '', 'avg', .*, got 'median'"):
        model.reset_classifier(2, "median")


@torch.no_grad()
@pytest.mark.parametrize("kind", [LSNet, LSNetDistilled])
def test_a_map_becomes_features_by_the_pooling_of_choice(kind):
    model, x = lively(kind), torch.randn(2, 3, 64, 64)
    y = model.forward_features(x)
    mean, most = y.mean((2, 3)), y.amax((2, 3))
    pooled = {"avg": mean, "max": most, "avgmax": (mean + most) / 2, "catavgmax": torch.cat((mean, most), 1)}
    for name, features in pooled.items():
        model.reset_classifier(0, name)
        torch.testing.assert_close(model(x), features)
        assert model.head_hidden_size == features.shape[1]
        assert kind(**SMALL, global_pool=name).eval()(x).shape == (2, 5)
    model.reset_classifier(0, "")
    assert torch.equal(model(x), y)
    with pytest.raises(
        ValueError, match="7 classes needs pooled features, and global_pool is ''; give global_pool"
    ):
        model.reset_classifier(7, "")
    model.reset_classifier(7)
    assert model(x).shape == (2, 7)


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (33, 100), (16, 16)], ids=str)
def test_a_model_that_gets_another_size_answers_as_before(size):
    model, x = lively(), torch.randn(2, 3, *size)
    before, weights = model(x), model.state_dict()
    model.set_input_size(size)
    assert torch.equal(model(x), before)
    sides = [-(-side // 16) for side in size]
    assert model.blocks4[3].mixer.m.attention_biases.shape == (4, sides[0] * sides[1])
    assert weights["blocks4.3.mixer.m.attention_biases"].shape == (4, 4)
    fused = lively().fuse()
    fused.set_input_size(size)
    torch.testing.assert_close(fused(x), before)


@pytest.mark.parametrize(
    "size", [0, (32, 0), (3, 32, 32), (32,), "48", 48.5, (32, 48.5), ("3", "2"), None], ids=repr
)
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match="img_size must be a number of pixels or"):
        LSNet(**{**SMALL, "img_size": size})
    with pytest.raises(ValueError, match="img_size must be a number of pixels or"):
        lively().set_input_size(size)


def lively(kind=LSNet, **changes):
    """A model in evaluation mode whose branches are not zero, as they are at the start."""
    torch.manual_seed(0)
    model = kind(**{**SMALL, **changes}).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.4, 0.6)
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.75, 1.25)
        elif isinstance(module, Attention):
            nn.init.normal_(module.attention_biases)
    return model


@torch.no_grad()
def test_intermediates_are_the_stages_maps():
    model, x = lively(), torch.randn(1, 3, 48, 32)
    maps, y = [], model.patch_embed(x)
    for number in range(1, 5):
        y = model.get_submodule(f"blocks{number}")(y)
        maps.append(y)
    last, found = model.forward_intermediates(x)
    assert torch.equal(last, y)
    assert all(torch.equal(a, b) for a, b in zip(found, maps, strict=True))
    (second,) = model.forward_intermediates(x, [1], stop_early=True, intermediates_only=True)
    assert torch.equal(second, maps[1])
    assert torch.equal(model.forward_intermediates(x, [1])[0], y)
    infos = [(info["num_chs"], 48 // info["reduction"]) for info in model.feature_info]
    assert infos == [tuple(t.shape[1:3]) for t in maps]
    with pytest.raises(ValueError, match="output_fmt must be 'NCHW', got 'NLC'"):
        model.forward_intermediates(x, output_fmt="NLC")


@torch.no_grad()
def test_stages_that_are_not_needed_can_be_removed():
    model, x = lively(), torch.randn(1, 3, 32, 32)
    expected = model.forward_intermediates(x, [0, 1], intermediates_only=True)
    assert model.prune_intermediate_layers([0, -3]) == [0, 1]
    found = model.forward_intermediates(x, [0, 1], intermediates_only=True)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert (model.num_features, model.num_classes) == (16, 0)
    assert list(model.blocks3.parameters()) == list(model.blocks4.parameters()) == []
    whole = lively()
    assert whole.prune_intermediate_layers(4, prune_head=False) == [0, 1, 2, 3]
    assert torch.equal(whole(x), lively()(x))


def test_checkpointing_changes_memory_and_not_gradients():
    gradients = []
    for enable in (False, True):
        model = lively().train()
        model.set_grad_checkpointing(enable)
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, kept=kept: kept.append(t.numel()) or t, lambda t: t
        ):
            loss = model(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))).square().sum()
            saved = sum(kept)
            loss.backward()
        gradients.append(([p.grad for p in model.parameters()], saved))
    (plain, much), (recomputed, little) = gradients
    torch.testing.assert_close(recomputed, plain)
    assert little < much / 2


def test_biases_of_the_attention_are_not_decayed():
    model = LSNet(**SMALL)
    assert model.no_weight_decay() == {"blocks4.3.mixer.m.attention_biases"}
    decayed = [
        id(p)
        for group in create_optimizer_v2(model, opt="sgd", lr=0.1, weight_decay=0.5).param_groups
        if group["weight_decay"]
        for p in group["params"]
    ]
    assert id(model.get_parameter("blocks4.3.mixer.m.attention_biases")) not in decayed
    assert id(model.head.l.weight) in decayed


@pytest.mark.parametrize(("coarse", "groups"), [(False, 1 + 2 + 3 * 4 + 1), (True, 1 + 4 + 1)])
def test_layers_are_grouped_by_block_or_stage(coarse, groups):
    from timm.models import group_parameters

    model = LSNet(**SMALL)
    found = group_parameters(model, model.group_matcher(coarse))
    assert len(found) == groups
    assert sorted(name for names in found.values() for name in names) == sorted(
        name for name, _ in model.named_parameters()
    )


@torch.no_grad()
def test_a_distilled_model_predicts_the_mean_and_trains_both_heads():
    model, x = lively(LSNetDistilled), torch.randn(2, 3, 32, 32)
    pooled = model.forward_head(model.forward_features(x), pre_logits=True)
    torch.testing.assert_close(model(x), (model.head(pooled) + model.head_dist(pooled)) / 2)
    assert model.train()(x).shape == (2, 5)
    model.set_distilled_training()
    logits, logits_dist = model(x)
    assert logits.shape == logits_dist.shape == (2, 5)
    assert not torch.equal(logits, logits_dist)
    assert model.eval()(x).shape == (2, 5)
    model.set_distilled_training(enable=False)
    assert model.train()(x).shape == (2, 5)
    model.reset_classifier(7)
    assert [head.l.out_features for head in model.get_classifier()] == [7, 7]


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 32), (64, 64), (40, 72), (16, 100)], ids=str)
def test_a_model_takes_images_of_other_sizes_than_its_own(size):
    model = lively()
    y = model(torch.randn(2, 3, *size))
    assert y.shape == (2, 5)
    assert y.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("kind", [LSNet, LSNetDistilled])
def test_fusing_changes_nothing_but_rounding(kind):
    model = lively(kind).double()
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    fused = model.fuse()
    assert isinstance(fused, kind)
    torch.testing.assert_close(fused(x), model(x), rtol=0, atol=1e-10)
    norms = [name for name, m in fused.named_modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d)]
    assert all(name.endswith(".mixer.bn") for name in norms), "only those of the LS convolutions stay"


@torch.no_grad()
@pytest.mark.parametrize(
    "is_fused", [pytest.param(False, marks=pytest.mark.slow), True], ids=["plain", "fused"]
)
def test_whole_graphs_are_compiled_and_exported(is_fused):
    model = lively().fuse() if is_fused else lively()
    x, wide = torch.randn(2, 3, 32, 32), torch.randn(2, 3, 48, 96)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), model(x))
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), model(x))
    sides = dict.fromkeys((2, 3), torch.export.Dim.DYNAMIC)
    any_size = torch.export.export(model, (wide,), dynamic_shapes={"x": sides}).module()
    for images in (wide, x, torch.randn(2, 3, 72, 40)):
        torch.testing.assert_close(any_size(images), model(images))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stem_stride": 3}, "stem_stride must be 2, 4 or 8"),
        ({"depths": (1, 1)}, "need 4 numbers each"),
        ({"stem_stride": 8, "embed_dims": (6, 8, 8, 8)}, "multiple of 4"),
        ({"num_classes": -1}, "num_classes must be 0 or more, got -1"),
        ({"output_stride": 32}, "output_stride must be 16 or left out, got 32: token mixers are not dilated"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        LSNet(**{**SMALL, **wrong})


def test_an_unknown_mixer_is_a_configuration_error():
    with pytest.raises(ConfigError, match="did you mean 'involution'"):
        LSNet(**SMALL, mixer="involuton")


def test_every_parameter_learns():
    torch.manual_seed(0)
    model = LSNet(**SMALL).train()
    for module in model.modules():  # the branches start as zero, which stops gradients behind them
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    nn.functional.cross_entropy(model(torch.randn(8, 3, 32, 32)), torch.arange(8) % 5).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
