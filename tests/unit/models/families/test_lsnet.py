import json
import math
import zlib
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

from lsbench.core.errors import ConfigError
from lsbench.models.backbone import LSNet, LSNetDistilled
from lsbench.models.blocks import Attention, RepVGGDW, biases_of_pairs
from lsbench.models.factory import create_model
from lsbench.models.families.lsnet import MODELS, checkpoint_filter_fn
from lsbench.models.mixers.ls_conv import LSConv
from lsbench.models.ops.ska import ska_backend

DATA = Path(__file__).parents[1] / "data"
FACTS = json.loads((DATA / "lsnet_facts.json").read_text())
#: Parameters of the released code, and after its own fusion.
PARAMS = {
    "lsnet_t": (11_409_832, 11_370_488),
    "lsnet_t_distill": (11_795_600, 11_755_488),
    "lsnet_s": (16_146_304, 16_098_232),
    "lsnet_s_distill": (16_596_200, 16_547_232),
    "lsnet_b": (23_313_608, 23_249_320),
    "lsnet_b_distill": (23_827_632, 23_762_320),
}
SMALL = {
    "img_size": 96,
    "stem_stride": 4,
    "embed_dims": (8, 8, 16, 16),
    "depths": (1, 2, 2, 4),
    "num_heads": 2,
    "num_classes": 5,
}


def keyed_tensor(key, shape):
    """Weights from the tensor's own name: the same for every implementation with these names."""
    wave = 2 * np.random.default_rng(zlib.crc32(key.encode())).random(math.prod(shape)) - 1
    leaf = key.split(".")[-1]
    if leaf in ("bias", "running_mean"):
        values = wave / 10
    elif leaf == "running_var":
        values = 1 + wave / 4
    elif leaf == "attention_biases":
        values = wave / 2
    elif len(shape) == 1:
        values = 0.5 + wave / 20
    else:
        values = wave * math.sqrt(3 / math.prod(shape[1:]))
    return torch.tensor(values.reshape(shape), dtype=torch.float32)


def keyed_images(batch=2, size=224):
    b, c, y, x = np.meshgrid(*(np.arange(n) for n in (batch, 3, size, size)), indexing="ij")
    waves = np.sin(0.11 * x + 0.7 * c + 1.3 * b) + np.cos(0.07 * y * (1 + 0.2 * c) - 0.9 * b)
    return torch.tensor(waves + 0.5 * np.sin(0.013 * x * y / (1 + b)), dtype=torch.float32)


def authors_checkpoint(shapes):
    """Weights under the authors' key names; whole numbers are left to the model."""
    whole = ("num_batches_tracked", "attention_bias_idxs")
    return {key: keyed_tensor(key, shape) for key, shape in shapes.items() if not key.endswith(whole)}


@pytest.fixture(scope="module", params=sorted(FACTS))
def published(request):
    model = create_model(request.param, num_classes=1000, img_size=224).eval()
    weights = authors_checkpoint(FACTS[request.param]["state_dict"])
    model.load_state_dict(checkpoint_filter_fn({"model": weights}, model), strict=True)
    return request.param, model


def test_every_key_of_the_authors_checkpoints_has_its_place(published):
    name, model = published
    assert {key: list(t.shape) for key, t in model.state_dict().items()} == FACTS[name]["state_dict"]


@torch.no_grad()
@pytest.mark.parametrize("is_fused", [False, True], ids=["plain", "fused"])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_outputs_are_those_of_the_authors_code(published, is_fused, backend, memory_format):
    name, model = published
    golden = np.load(DATA / "lsnet_golden.npz")
    model = model.fuse() if is_fused else model
    with ska_backend(backend):
        last, maps = model.forward_intermediates(keyed_images().contiguous(memory_format=memory_format))
    for number, found in enumerate(maps, 1):
        expected = torch.from_numpy(golden[f"{name}.blocks{number}.mean_abs"])
        torch.testing.assert_close(found.abs().mean((2, 3)), expected, rtol=0, atol=1e-5)
    expected = torch.from_numpy(golden[f"{name}.logits"])
    torch.testing.assert_close(model.forward_head(last), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_parameters_are_those_of_the_released_code_before_and_after_fusion(name):
    with torch.device("meta"):
        model = create_model(name, num_classes=1000, img_size=224)
        sizes = [sum(p.numel() for p in m.parameters()) for m in (model, model.fuse())]
    assert tuple(sizes) == PARAMS[name]
    if name in FACTS:
        assert sizes == [FACTS[name]["params"], FACTS[name]["params_fused"]]


@pytest.mark.parametrize("name", MODELS)
def test_timm_knows_the_family(name):
    with torch.device("meta"):
        model = timm.create_model(name, mixer="identity", num_classes=10)
    size = model.pretrained_cfg["input_size"][-1]
    assert size == (32 if name == "lsnet_nano" else 224)
    classifiers = model.pretrained_cfg["classifier"]
    for classifier in [classifiers] if isinstance(classifiers, str) else classifiers:
        assert model.get_submodule(classifier).out_features == 10
    assert model.get_submodule(model.pretrained_cfg["first_conv"]).in_channels == 3
    assert isinstance(model, LSNetDistilled) == name.endswith("_distill")


def test_the_authors_weights_have_addresses_and_nano_has_none():
    assert {name for name in MODELS if timm.get_pretrained_cfg(name).has_weights} == set(PARAMS)
    with pytest.raises(ConfigError, match="no pretrained weights"):
        timm.create_model("lsnet_nano", pretrained=True)


def test_nano_is_small_and_has_ls_convolution_in_three_stages():
    model = timm.create_model("lsnet_nano", num_classes=10).eval()
    assert 200_000 < sum(p.numel() for p in model.parameters()) < 500_000
    sizes = []
    for module in model.modules():
        if isinstance(module, LSConv):
            module.register_forward_hook(lambda m, x, y: sizes.append(y.shape[-1]))
    model(torch.zeros(1, 3, 32, 32))
    assert sizes == [8, 4, 2]


@pytest.mark.parametrize("indices", [(0, 1, 2, 3), (0,), (1, 2), (-2, -1), 2], ids=str)
def test_timm_extracts_features_even_from_an_empty_stage(indices):
    extractor = timm.create_model("lsnet_t", features_only=True, out_indices=indices).eval()
    with torch.no_grad():
        found = extractor(torch.zeros(1, 3, 96, 64))
    chosen = {2: (2, 3), (-2, -1): (2, 3)}.get(indices, indices)
    assert extractor.feature_info.channels() == [(64, 128, 256, 384)[stage] for stage in chosen]
    assert extractor.feature_info.reduction() == [8 * 2**stage for stage in chosen]
    assert [tuple(t.shape[1:]) for t in found] == [
        ((64, 128, 256, 384)[stage], -(-96 // (8 * 2**stage)), 64 // (8 * 2**stage)) for stage in chosen
    ]


@torch.no_grad()
@pytest.mark.parametrize(
    "how",
    [
        {"feature_cls": "list"},
        {"feature_cls": "dict"},
        {"feature_cls": "hook"},
        {"feature_cfg": {"feature_cls": "list", "out_indices": (0, 2)}},
    ],
    ids=str,
)
def test_each_of_timms_extractors_finds_the_same_maps(how):
    x, maps = torch.randn(1, 3, 64, 64), []
    for chosen in ({}, how):
        torch.manual_seed(0)
        arguments = {"out_indices": (0, 2)} if "feature_cfg" not in chosen else {}
        model = timm.create_model("lsnet_t", features_only=True, **arguments, **chosen).eval()
        found = model(x)
        maps.append(list(found.values()) if isinstance(found, dict) else found)
        assert model.feature_info.channels() == [64, 256]
    assert len(maps[0]) == len(maps[1]) == 2
    assert all(map(torch.equal, *maps))


def test_timm_loads_published_weights_into_other_channels_and_classes(tmp_path):
    torch.manual_seed(0)
    source = randomised(create_model("lsnet_t", num_classes=1000, img_size=224))
    torch.save({"model": source.state_dict()}, tmp_path / "weights.pth")
    overlay = {"file": str(tmp_path / "weights.pth")}
    model = timm.create_model("lsnet_t", pretrained=True, pretrained_cfg_overlay=overlay)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model.eval()(x), source(x))
    gray = timm.create_model(
        "lsnet_t", pretrained=True, pretrained_cfg_overlay=overlay, num_classes=7, in_chans=1
    )
    expected = source.patch_embed[0].c.weight.sum(1, keepdim=True)
    torch.testing.assert_close(gray.patch_embed[0].c.weight, expected)
    torch.testing.assert_close(gray.head.bn.weight, source.head.bn.weight)
    assert gray.head.l.weight.shape == (7, 384)


def randomised(model):
    """The model in evaluation mode with weights by name, so that nothing in it is zero."""
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(keyed_tensor(key, tuple(tensor.shape)))
    return model.eval()


def small(kind=LSNet, **changes):
    return kind(**{**SMALL, **changes}).eval()


def images(size=96):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: {"model": state, "epoch": 299},
        lambda state: {"state_dict": state},
        lambda state: {"model_ema": state},
        lambda state: {"model": {f"module.{key}": value for key, value in state.items()}},
        lambda state: {key: value for key, value in state.items() if "attention_bias_idxs" not in key},
        lambda state: {key: value for key, value in state.items() if "num_batches_tracked" not in key},
    ],
    ids=["bare", "model", "state_dict", "ema", "parallel", "no_indices", "no_counts"],
)
def test_weights_are_found_wherever_trainings_put_them(wrapped):
    source, model = randomised(small()), small()
    model.load_state_dict(checkpoint_filter_fn(wrapped(source.state_dict()), model), strict=True)
    with torch.no_grad():
        assert torch.equal(model(images()), source(images()))


def test_the_averaged_weights_come_before_those_in_use_as_in_timm():
    source, model = randomised(small()), small()
    both = {"model": small().state_dict(), "model_ema": source.state_dict()}
    assert torch.equal(checkpoint_filter_fn(both, model)["head.l.bias"], source.head.l.bias)


def attentions(model):
    return [module for module in model.modules() if isinstance(module, Attention)]


@pytest.mark.parametrize(
    ("old", "new"), [(96, 160), (160, 96), (96, (64, 160)), ((64, 96), (96, 160)), ((96, 64), 96)], ids=str
)
def test_biases_are_resized_bicubically_on_the_grid_of_offsets(old, new):
    source, model = randomised(small(img_size=old)), small(img_size=new)
    model.load_state_dict(checkpoint_filter_fn(source.state_dict(), model), strict=True)
    for before, after in zip(attentions(source), attentions(model), strict=True):
        (rows, cols), (height, width) = before.resolution, after.resolution
        grid = before.attention_biases.detach().view(2, 1, rows, cols)
        expected = F.interpolate(grid, (height, width), mode="bicubic").view(2, height, width)
        table, indices = after.attention_biases, after.attention_bias_idxs
        pairs = biases_of_pairs(torch.zeros(1, 1, height, width), table, indices, after.resolution)
        for (y, x), (v, u) in product(product(range(height), range(width)), repeat=2):
            found = pairs[:, y * width + x, v * width + u]
            torch.testing.assert_close(found, expected[:, abs(y - v), abs(x - u)])


def test_a_map_that_is_not_square_needs_its_indices():
    source, model = small(img_size=(64, 96)), small()
    state = {key: value for key, value in source.state_dict().items() if "idxs" not in key}
    with pytest.raises(ValueError, match="has 6 offsets, which fit no map of rows and columns"):
        checkpoint_filter_fn(state, model)
    same = small(img_size=(64, 96))
    same.load_state_dict(checkpoint_filter_fn(state, same), strict=True)


def test_an_image_of_another_size_meets_the_biases_that_loading_would_give_it():
    source, model = randomised(small()), small(img_size=(160, 64))
    model.load_state_dict(checkpoint_filter_fn(source.state_dict(), model), strict=True)
    x = torch.randn(2, 3, 160, 64)
    with torch.no_grad():
        torch.testing.assert_close(source(x), model(x), rtol=0, atol=1e-6)


@torch.no_grad()
def test_one_head_becomes_two_equal_ones_and_of_two_the_first_stays():
    x, plain, distilled = images(), randomised(small()), small(LSNetDistilled)
    distilled.load_state_dict(checkpoint_filter_fn(plain.state_dict(), distilled), strict=True)
    torch.testing.assert_close(distilled(x), plain(x))
    teacher, student = randomised(small(LSNetDistilled)), small()
    student.load_state_dict(checkpoint_filter_fn(teacher.state_dict(), student), strict=True)
    torch.testing.assert_close(
        student(x), teacher.head(teacher.forward_head(teacher.forward_features(x), True))
    )


@torch.no_grad()
@pytest.mark.parametrize("kind", [LSNet, LSNetDistilled])
@pytest.mark.parametrize("classes", [0, 9])
def test_another_number_of_classes_keeps_the_models_own_classifier(kind, classes):
    source, model = randomised(small(kind)), small(kind, num_classes=classes)
    before = {key: value.clone() for key, value in model.state_dict().items() if ".l." in key}
    model.load_state_dict(checkpoint_filter_fn(source.state_dict(), model), strict=True)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())
    torch.testing.assert_close(model.forward_features(images()), source.forward_features(images()))


def test_a_missing_branch_adds_nothing_and_can_learn():
    source, model = randomised(small()), small()
    state = {key: value for key, value in source.state_dict().items() if ".mixer.conv1." not in key}
    model.load_state_dict(checkpoint_filter_fn(state, model), strict=True)
    for module in source.modules():
        if isinstance(module, RepVGGDW):
            nn.init.zeros_(module.conv1.c.weight)
            nn.init.zeros_(module.conv1.bn.running_mean)
            nn.init.zeros_(module.conv1.bn.bias)
    torch.testing.assert_close(model(images()), source(images()))
    model.train()(images()).square().sum().backward()
    assert all(m.conv1.bn.weight.grad.any() for m in model.modules() if isinstance(m, RepVGGDW))


def test_a_checkpoint_without_some_other_part_does_not_load():
    model = small()
    state = {key: value for key, value in model.state_dict().items() if "blocks3.2.ffn" not in key}
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict(checkpoint_filter_fn(state, model), strict=True)
    half = {key: value for key, value in model.state_dict().items() if "blocks1.0.mixer.conv1.c" not in key}
    with pytest.raises(RuntimeError, match=r"Missing key.*conv1\.c\.weight"):
        model.load_state_dict(checkpoint_filter_fn(half, model), strict=True)


FOUR = {"embed_dims": (16, 16, 32, 32), "depths": (1, 2, 2, 2)}


@pytest.mark.parametrize("name", ["lsnet_t", "lsnet_t_distill"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"img_size": 96},
        {"num_classes": 10},
        {"num_classes": 0},
        {"in_chans": 1},
        {"features_only": True},
        {"features_only": True, "out_indices": (1, 2), "img_size": 96},
    ],
    ids=str,
)
def test_timms_door_and_lsbenchs_are_one(name, options, tmp_path):
    x = torch.randn(2, options.get("in_chans", 3), 96, 96)
    for source in ("lsnet_t", "lsnet_t_distill"):
        torch.manual_seed(1)
        path = str(tmp_path / f"{source}.pth")
        torch.save(
            {"model": timm.create_model(source, img_size=64, num_classes=7, **FOUR).state_dict()}, path
        )
        made = {"img_size": 64, "num_classes": 7, **FOUR, **options}
        if made.get("features_only"):
            made.pop("num_classes")
        torch.manual_seed(2)
        timms = timm.create_model(name, checkpoint_path=path, **made).eval()
        torch.manual_seed(2)
        ours = create_model(name, checkpoint=path, **{"num_classes": 7, **made}).eval()
        with torch.no_grad():
            pairs = zip(timms(x), ours(x), strict=True)
            assert all(torch.equal(one, other) for one, other in pairs)


def test_weights_of_another_model_are_left_to_torch(tmp_path):
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "a.pth")
    with pytest.raises(RuntimeError, match="Missing key"):
        timm.create_model("lsnet_nano", checkpoint_path=str(tmp_path / "a.pth"))
    model = timm.create_model("lsnet_nano")
    assert model.load_state_dict({}, strict=False).missing_keys


@pytest.mark.parametrize("name", [*MODELS, "resnet50_ls", "deit_tiny_ls"])
def test_every_model_takes_the_arguments_of_timms_own_scripts(name):
    train = {"drop_rate": 0.0, "drop_path_rate": None, "drop_block_rate": None, "bn_momentum": None}
    shared = {"pretrained": False, "in_chans": 3, "num_classes": 3, "global_pool": "avg", "scriptable": False}
    with torch.device("meta"):
        model = timm.create_model(name, checkpoint_path="", bn_eps=None, **train, **shared)
        assert timm.create_model(name, **shared).num_classes == model.num_classes == 3


def test_features_are_dropped_before_the_classifier_in_training_alone():
    model = timm.create_model("lsnet_nano", drop_rate=0.5).eval()
    x = torch.randn(1, 128, 2, 2)
    assert torch.equal(model.forward_head(x, pre_logits=True), x.mean((2, 3)))
    dropped = model.train().forward_head(x, pre_logits=True)
    kept = dropped != 0
    assert 0.2 < kept.float().mean() < 0.8
    assert torch.allclose(dropped[kept], 2 * x.mean((2, 3))[kept])
    with pytest.raises(ConfigError, match=r"global_pool must be one of .*, got 'median'"):
        timm.create_model("lsnet_nano", global_pool="median")
