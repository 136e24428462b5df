"""Every model that lsbench registers with timm keeps timm's contracts; a new one is covered at once.

Shapes of whole models come from tensors without data; values from tiny models, made by the arguments in TINY.
"""

import math

import pytest
import timm
import torch
from timm.models import save_for_hf
from timm.optim import create_optimizer_v2

from lsbench.core.errors import ConfigError
from lsbench.core.registry import FAMILIES

HEIGHT, WIDTH, CLASSES = 96, 64, 5
#: Arguments that make any model of a family tiny; without a line here it is tested as it is, which is slow.
TINY = {
    "lsnet": {"embed_dims": (8, 8, 16, 16), "depths": (0, 2, 2, 2), "num_heads": 2},
    "resnet": {"channels": (8, 8, 16, 16)},
    "deit": {"embed_dim": 24, "depth": 4},
}
FAMILY_OF = {name: family for family in FAMILIES.own_names() for name in FAMILIES.load(family)}


@pytest.fixture(params=FAMILY_OF)
def name(request):
    return request.param


def build(name, **arguments):
    """A tiny model in evaluation mode, the same for each call, with no branch that starts as zero."""
    defaults = {"img_size": (HEIGHT, WIDTH), "num_classes": CLASSES, **TINY.get(FAMILY_OF[name], {})}
    torch.manual_seed(0)
    model = timm.create_model(name, **{**defaults, **arguments}).eval()
    for parameter in model.parameters():
        torch.nn.init.uniform_(parameter, -0.3, 0.3)
    return model


def images(height=HEIGHT, width=WIDTH, chans=3):
    return torch.randn(2, chans, height, width, generator=torch.Generator().manual_seed(1))


def equal(found, expected):
    return len(found) == len(expected) and all(map(torch.equal, found, expected))


@torch.no_grad()
def test_the_cfg_is_true_of_the_whole_model(name):
    with torch.device("meta"):
        model = timm.create_model(name).eval()
        x = torch.zeros(1, *model.pretrained_cfg["input_size"])
    cfg, state, features = model.pretrained_cfg, model.state_dict(), model.forward_features(x)
    assert model.default_cfg is cfg
    assert timm.get_pretrained_cfg(name).to_dict() == {**cfg, "architecture": name}
    # A sequence of tokens has no size to pool: as for timm's own transformers.
    assert cfg["pool_size"] == (tuple(features.shape[2:]) if features.ndim == 4 else None)
    assert features.shape[1 if features.ndim == 4 else -1] == model.num_features
    assert model.forward_head(features, pre_logits=True).shape == (1, model.head_hidden_size)
    assert model(x).shape == (1, model.num_classes) == (1, cfg["num_classes"]) == (1, 1000)
    layers = [
        cfg["first_conv"],
        *([cfg["classifier"]] if isinstance(cfg["classifier"], str) else cfg["classifier"]),
    ]
    assert [layer for layer in layers if f"{layer}.weight" not in state] == []
    assert model.in_chans == cfg["input_size"][0]
    assert cfg["crop_pct"] == (0.875 if x.shape[-1] >= 160 else 1.0)
    assert cfg["interpolation"] == "bicubic"
    assert len(cfg["mean"]) == len(cfg["std"]) == 3


@torch.no_grad()
def test_a_fixed_size_is_told_in_the_cfg(name):
    model, other = build(name), images(HEIGHT + 16, WIDTH + 7)
    if model.pretrained_cfg["fixed_input_size"]:
        with pytest.raises(AssertionError, match="doesn't match model"):
            model(other)
        model.set_input_size(img_size=tuple(other.shape[2:]))
    assert model(other).shape == (2, CLASSES)


@torch.no_grad()
def test_the_head_can_be_replaced_or_left_out_with_its_pooling(name):
    model, x = build(name, in_chans=1), images(chans=1)
    features = model.forward_features(x)
    pooled = model.forward_head(features, pre_logits=True)
    assert model(x).shape == (2, CLASSES)
    model.reset_classifier(7)
    assert (model(x).shape, model.num_classes) == ((2, 7), 7)
    model.reset_classifier(0)
    assert model.num_classes == 0
    assert torch.equal(model(x), pooled)
    model.reset_classifier(0, "")
    assert model(x).shape == features.shape
    for pooling in ("max", "avgmax", "avg"):
        model.reset_classifier(3, pooling)
        assert model(x).shape == (2, 3)
    model.reset_classifier(0)
    assert torch.equal(model(x), pooled)
    assert build(name, num_classes=0)(images()).shape == pooled.shape
    assert build(name, num_classes=0, global_pool="")(images()).shape == features.shape


@torch.no_grad()
def test_intermediates_are_those_that_were_asked_for(name):
    model, x = build(name), images()
    last, maps = model.forward_intermediates(x)
    assert torch.equal(last, model.forward_features(x))
    assert [m.shape[1] for m in maps] == [info["num_chs"] for info in model.feature_info]
    sides = [[math.ceil(n / info["reduction"]) for n in (HEIGHT, WIDTH)] for info in model.feature_info]
    assert [list(m.shape[2:]) for m in maps] == sides
    count = len(maps)
    for indices, chosen in ((2, (count - 2, count - 1)), ([0, -1], (0, count - 1)), ([1], (1,))):
        expected = [maps[index] for index in chosen]
        for early in (False, True):
            found = model.forward_intermediates(x, indices, stop_early=early, intermediates_only=True)
            assert equal(found, expected)
        assert torch.equal(model.forward_intermediates(x, indices, norm=True)[0], last)
    with pytest.raises((ValueError, AssertionError), match="NCHW"):
        model.forward_intermediates(x, output_fmt="NHWC")


@torch.no_grad()
def test_what_later_layers_need_can_be_pruned(name):
    model, x = build(name), images()
    expected, before = model.forward_intermediates(x, [0, 1])[1], sum(p.numel() for p in model.parameters())
    assert model.prune_intermediate_layers([0, 1]) == [0, 1]
    assert model.num_classes == 0
    assert sum(p.numel() for p in model.parameters()) < before
    assert equal(model.forward_intermediates(x, [0, 1], intermediates_only=True), expected)
    assert model.forward(x).shape[1 if model(x).ndim == 4 else -1] == model.num_features


@torch.no_grad()
def test_timm_makes_a_feature_extractor_of_it(name):
    model, x = build(name), images()
    maps = model.forward_intermediates(x, intermediates_only=True)
    for indices in ((0, 2), (-1,), 2):
        extractor = timm.create_model(
            name,
            features_only=True,
            out_indices=indices,
            img_size=(HEIGHT, WIDTH),
            **TINY.get(FAMILY_OF[name], {}),
        ).eval()
        found = extractor(x)
        wanted = range(-indices, 0) if isinstance(indices, int) else indices
        assert [m.shape for m in found] == [maps[index].shape for index in wanted]
        assert extractor.feature_info.channels() == [m.shape[1] for m in found]
        assert extractor.feature_info.reduction() == [
            model.feature_info[index]["reduction"] for index in wanted
        ]


def test_every_parameter_has_a_gradient_with_and_without_checkpointing(name):
    model, x = build(name), images()
    outputs = []
    for enable in (False, True):
        model.zero_grad()
        model.set_grad_checkpointing(enable)
        outputs.append(model(x))
        outputs[-1].square().mean().backward()
        assert [key for key, p in model.named_parameters() if p.grad is None] == []
        torch.testing.assert_close(model.forward_intermediates(x)[0], model.forward_features(x))
    torch.testing.assert_close(*outputs)


def test_layers_learn_the_faster_the_later_they_are(name):
    model = build(name)
    groups = create_optimizer_v2(model, opt="adamw", lr=1.0, weight_decay=0.5, layer_decay=0.5).param_groups
    scale = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    scales = [scale[id(p)] for p in model.parameters()]
    assert scales == sorted(scales)
    assert scales[-1] == 1
    assert len(set(scales)) > len(model.feature_info)
    undecayed = getattr(model, "no_weight_decay", set)()
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert [key for key, p in model.named_parameters() if key in undecayed and id(p) in decayed] == []
    assert any(id(p) in decayed for p in model.parameters())


def test_a_model_for_one_size_becomes_one_for_another(name):
    model = build(name)
    if not hasattr(model, "set_input_size"):
        assert not model.pretrained_cfg["fixed_input_size"]
        return
    for size in ((100, 52), (160, 64), (HEIGHT, WIDTH)):
        model.set_input_size(img_size=size)
        fresh = build(name, img_size=size).state_dict()
        assert {key: t.shape for key, t in model.state_dict().items()} == {
            key: t.shape for key, t in fresh.items()
        }
        assert model(images(*size)).isfinite().all()


@pytest.mark.parametrize(
    "wrong",
    [{"output_stride": 16}, {"global_pool": "mean"}, {"features_only": True, "out_indices": (0, 99)}],
    ids=str,
)
def test_what_it_cannot_do_is_refused_in_one_line(name, wrong):
    with pytest.raises(ConfigError) as caught:
        build(name, **wrong)
    (problem,) = caught.value.problems
    assert name in problem
    assert any(str(value) in problem or option in problem for option, value in wrong.items())


@torch.no_grad()
def test_what_timm_saves_it_loads(name, tmp_path):
    model, size = build(name, in_chans=1), (64, 96)
    model.reset_classifier(7, "max")
    if hasattr(model, "set_input_size"):
        model.set_input_size(img_size=size)
    save_for_hf(model, tmp_path, safe_serialization=True)
    loaded = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert torch.equal(loaded(images(*size, chans=1)), model(images(*size, chans=1)))
    assert equal(loaded.state_dict().values(), model.state_dict().values())


def test_it_is_made_on_the_device_and_in_the_type_that_timm_is_asked_for(name):
    model = timm.create_model(name, num_classes=3, device="meta", dtype=torch.bfloat16)
    tensors = [*model.parameters(), *model.buffers()]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert {tensor.dtype for tensor in model.parameters()} == {torch.bfloat16}


def test_an_unknown_argument_is_a_type_error_too(name):
    with pytest.raises(TypeError, match="not_an_option"):
        timm.create_model(name, not_an_option=1)


def test_a_classifier_comes_back_after_the_pooling_was_removed(name):
    model = timm.create_model(name, num_classes=0, global_pool="", device="meta")
    model.reset_classifier(0)
    model.reset_classifier(2)
    heads = model.get_classifier()
    parameters = [p for head in (heads if isinstance(heads, tuple) else (heads,)) for p in head.parameters()]
    assert parameters
    assert all(parameter.is_meta for parameter in parameters)
