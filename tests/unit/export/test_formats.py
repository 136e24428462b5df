import dataclasses
import io
import math

import pytest
import torch
from torch import nn

from lsbench.core.errors import ConfigError, UsageError
from lsbench.export import formats


@pytest.fixture
def subject(make_subject):
    return make_subject("resnet18")


@pytest.mark.parametrize("kind", ["onnx", "pt2", "safetensors"])
def test_each_format_is_compared_after_loading(subject, kind):
    made = formats.export(subject, kind, batch_size=2)
    assert made.check.difference <= made.check.tolerance == formats.TOLERANCE
    reader = {"onnx": "onnxruntime ", "pt2": "torch ", "safetensors": "timm "}[kind]
    assert made.check.reader.startswith(reader)
    is_program = kind in formats.PROGRAMS
    assert (made.is_fused, made.shape) == ((True, (2, 3, 32, 32)) if is_program else (False, None))
    assert made.check.images == formats.PASSES * (2 if is_program else 1)


@pytest.fixture
def tiny(make_subject):
    """Attention on a map that has one pixel at the subject's size of 32 px."""
    return make_subject(embed_dims=(8,) * 4, depths=(0, 0, 0, 2), num_heads=1, key_dim=4)


def test_onnx_for_any_size_is_compared_at_five(tiny):
    made = formats.export(tiny, "onnx", any_size=True)
    assert made.check.difference <= formats.TOLERANCE
    assert made.check.images == 1 + 2 + 3 + 1 + 2
    assert made.shape == (None, 3, None, None)


class Asks(nn.Module):
    """Gives something else for small images."""

    def forward(self, x):
        y = x.mean((2, 3))
        return y if x.shape[2] > 40 else 2 * y


def test_a_program_that_refuses_the_models_own_size_is_not_written(subject):
    message = r"refuses images of 32x32 pixels \(.*>= 41\); use --to onnx, or larger images"
    with pytest.raises(ConfigError, match=message):
        formats.export(dataclasses.replace(subject, model=Asks().eval()), "pt2", any_size=True)


def test_weights_have_no_size(subject):
    with pytest.raises(UsageError, match="--any-size: weights have no size"):
        formats.export(subject, "safetensors", any_size=True)


def test_a_file_that_differs_is_refused(subject, monkeypatch):
    monkeypatch.setattr(formats.programs, "run_pt2", lambda content, images: torch.zeros(1, 5))
    with pytest.raises(
        ConfigError, match=r"differ .* by at most 1.0e\+00 .*; 1e-04 is allowed; nothing is written"
    ):
        formats.export(subject, "pt2")
    monkeypatch.setattr(formats.programs, "run_pt2", lambda content, images: torch.full((1, 5), math.nan))
    with pytest.raises(ConfigError, match="by at most inf"):
        formats.export(subject, "pt2", tolerance=10)


def test_a_model_without_numbers_is_refused(subject):
    with torch.no_grad():
        subject.model.fc.bias.fill_(math.nan)
    with pytest.raises(ConfigError, match="the model gives NaN or infinity"):
        formats.export(subject, "pt2")


def test_plain_programs_are_not_fused(make_subject):
    made = formats.export(make_subject(mixer="identity"), "pt2", is_fused=False)
    assert not made.is_fused
    names = torch.export.load(io.BytesIO(made.content)).state_dict
    assert any("running_mean" in name for name in names)


def test_weights_are_never_fused(subject):
    with pytest.raises(UsageError, match="--fused: a fused model has other weights"):
        formats.export(subject, "safetensors", is_fused=True)


def test_without_onnxruntime_a_file_is_not_checked(subject, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    assert formats.export(subject, "onnx").check is None
