"""A small network as an ONNX file, written by hand: torch's exporter takes seconds."""

import hashlib

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from lsbench.models.programs import INPUT, OPSET, OUTPUT

SHAPE = (2, 3, 8, 8)


def _weight(name, *shape):
    values = np.random.default_rng(len(name)).normal(size=shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


@pytest.fixture(scope="session")
def onnx_file():
    """Return the content of a file: two convolutions, a mean over the image and a classifier of five."""
    nodes = [
        helper.make_node("Conv", [INPUT, "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], group=4),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "head"], [OUTPUT]),
    ]
    weights = [_weight("first", 4, 3, 3, 3), _weight("second", 4, 1, 3, 3), _weight("head", 4, 5)]
    sides = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in ((INPUT, SHAPE), (OUTPUT, (SHAPE[0], 5)))
    ]
    graph = helper.make_graph(nodes, "small", sides[:1], sides[1:], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    return made.SerializeToString()


@pytest.fixture
def folder(onnx_file, tmp_path):
    """Return a folder that holds the program, as a runtime writes it."""
    (tmp_path / "model.onnx").write_bytes(onnx_file)
    return tmp_path


@pytest.fixture
def images():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def expected(onnx_file, images):
    """Return the logits of the images as the reference implementation of ONNX computes them."""
    from onnx.reference import ReferenceEvaluator

    (logits,) = ReferenceEvaluator(onnx.load_model_from_string(onnx_file)).run(None, {INPUT: images.numpy()})
    return torch.from_numpy(logits)


@pytest.fixture
def quantise(folder, images, monkeypatch):
    """Write the file as int8 in place of torch's exporter, and return its folder."""
    from lsbench.models import programs
    from lsbench.runtimes import _onnx_files

    def make(form):
        content = (folder / "model.onnx").read_bytes()
        monkeypatch.setattr(programs, "trace", lambda model, images, name: None)
        monkeypatch.setattr(programs, "to_onnx", lambda program, name: content)
        monkeypatch.setattr(_onnx_files, "_digest", lambda program: hashlib.sha256(content).hexdigest())
        # Three images fill a batch and a half.
        calibration = torch.cat([images, -images[:1]]) if form.needs_calibration else None
        return folder, _onnx_files.write(None, images, form, calibration, folder)

    return make
