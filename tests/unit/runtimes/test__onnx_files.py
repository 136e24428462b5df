from types import SimpleNamespace

import onnx
import pytest
import torch
from torch import nn

from lsbench.models import programs
from lsbench.runtimes import Form
from lsbench.runtimes._onnx_files import _in_batches, write


def operators(folder):
    return [node.op_type for node in onnx.load(folder / "model.onnx").graph.node]


def test_static_quantisation_surrounds_operators_and_fixes_ranges(quantise):
    folder, seconds = quantise(Form("int8"))
    found = operators(folder)
    assert "QuantizeLinear" in found
    assert "DynamicQuantizeLinear" not in found
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]
    assert set(seconds) == {"export", "quantise"}
    channels = [one for one in onnx.load(folder / "model.onnx").graph.initializer if "first" in one.name]
    assert any(list(one.dims) == [4] for one in channels), "one scale for each channel"


def test_dynamic_quantisation_finds_ranges_anew(quantise):
    folder, _ = quantise(Form("int8", quantisation="dynamic"))
    assert {"DynamicQuantizeLinear", "ConvInteger"} <= set(operators(folder))


def test_in_float32_the_file_is_what_the_exporter_writes(quantise, onnx_file):
    folder, seconds = quantise(Form())
    assert (folder / "model.onnx").read_bytes() == onnx_file
    assert set(seconds) == {"export"}


@pytest.mark.parametrize(("size", "expected"), [(2, [[0, 1], [2, 0]]), (5, [[0, 1, 2, 0, 1]])])
def test_the_last_batch_is_filled_up_with_the_first_images(size, expected, images):
    three = images.new_tensor([0.0, 1.0, 2.0])[:, None]
    assert [batch[:, 0].tolist() for batch in _in_batches(three, size)] == expected


class Scaled(nn.Module):
    def __init__(self, factor=2.0, weight=1.0):
        super().__init__()
        self.factor = factor
        self.weight = nn.Parameter(torch.full((1,), weight))
        self.register_buffer("shift", torch.zeros(1))

    def forward(self, images):
        return (images * self.weight + self.shift).flatten(1).sum(1, keepdim=True) * self.factor


@pytest.fixture
def converted(monkeypatch, tmp_path):
    """Write a model's file, and return how often a program has been converted until then, and its logits."""
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    real, calls = programs.to_onnx, []

    def to_onnx(program, *, name):
        calls.append(program)
        return real(program, name=name)

    def make(model, batch=2, side=4):
        folder = tmp_path / "program"
        folder.mkdir(exist_ok=True)
        images = torch.ones(batch, 3, side, side)
        with torch.no_grad():
            expected = model(images)
        seconds = write(model.eval(), images, Form(), None, folder)
        assert set(seconds) == {"export"}
        found = programs.run_onnx((folder / "model.onnx").read_bytes(), images)
        assert torch.allclose(found, expected)
        return len(calls)

    monkeypatch.setattr(programs, "to_onnx", to_onnx)
    return make


def test_a_program_is_converted_once_whichever_model_it_is_of(converted):
    assert [converted(Scaled()) for _ in range(2)] == [1, 1]


def test_another_weight_buffer_number_size_or_batch_is_another_program(converted):
    moved = Scaled()
    moved.shift += 1
    models = Scaled(), Scaled(weight=2.0), Scaled(factor=3.0), moved
    assert [converted(model) for model in models] == [1, 2, 3, 4]
    assert converted(Scaled(), batch=3) == 5
    assert converted(Scaled(), side=5) == 6
    assert [converted(model) for model in models] == [6] * 4


def test_it_is_converted_again_by_another_exporter(converted, monkeypatch):
    converted(Scaled())
    monkeypatch.setattr("lsbench.runtimes._onnx_files.version", lambda name: f"another {name}")
    assert converted(Scaled()) == 2
    other = SimpleNamespace(getsource=lambda module: "other code")
    monkeypatch.setattr("lsbench.runtimes._onnx_files.inspect", other)
    assert converted(Scaled()) == 3
