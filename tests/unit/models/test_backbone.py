import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.models.backbone import LSNet
from lsbench.models.blocks import Attention
from lsbench.models.factory import create_model
from lsbench.models.mixers.ls_conv import LSConv

DATA = Path(__file__).parent / "data"
FACTS = json.loads((DATA / "lsnet_facts.json").read_text())
SMALL = {
    "img_size": 32,
    "stem_stride": 2,
    "embed_dims": (16, 16, 24, 32),
    "depths": (2, 2, 2, 2),
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


@pytest.fixture(scope="module", params=sorted(FACTS))
def published(request):
    model = create_model(request.param, num_classes=1000, img_size=224).eval()
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(keyed_tensor(key, tuple(tensor.shape)))
    return request.param, model


def test_state_dict_is_that_of_the_authors_checkpoints(published):
    name, model = published
    assert {key: list(t.shape) for key, t in model.state_dict().items()} == FACTS[name]["state_dict"]
    assert sum(p.numel() for p in model.parameters()) == FACTS[name]["params"]


@torch.no_grad()
def test_outputs_are_those_of_the_authors_code(published):
    name, model = published
    golden = np.load(DATA / "lsnet_golden.npz")
    x = model.patch_embed(keyed_images())
    for number, stage in enumerate(model.stages, 1):
        x = stage(x)
        expected = torch.from_numpy(golden[f"{name}.blocks{number}.mean_abs"])
        torch.testing.assert_close(x.abs().mean((2, 3)), expected, rtol=1e-4, atol=1e-5)
    expected = torch.from_numpy(golden[f"{name}.logits"])
    torch.testing.assert_close(model.forward_head(x), expected, rtol=1e-4, atol=1e-5)


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
    with pytest.raises(ValueError, match="global_pool"):
        model.reset_classifier(2, "max")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stem_stride": 3}, "stem_stride must be 2, 4 or 8"),
        ({"depths": (1, 1)}, "need 4 numbers each"),
        ({"stem_stride": 8, "embed_dims": (6, 8, 8, 8)}, "multiple of 4"),
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
