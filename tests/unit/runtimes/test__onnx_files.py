import onnx
import pytest

from lsbench.runtimes import Form
from lsbench.runtimes._onnx_files import _in_batches


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
