import sys
from types import SimpleNamespace

import pytest

from lsbench.runtimes import Form
from lsbench.runtimes.tensorrt import PROVIDER, RUNTIME


@pytest.fixture
def build(monkeypatch):
    """Put a build with TensorRT in place of the installed one; it notes what is asked of it."""
    asked = []

    def open_session(file, options, providers):
        asked.append((file, options.intra_op_num_threads, providers))
        return SimpleNamespace(get_providers=lambda: [name for name, _ in providers])

    fake = SimpleNamespace(
        SessionOptions=SimpleNamespace,
        GraphOptimizationLevel=SimpleNamespace(ORT_ENABLE_ALL=99),
        InferenceSession=open_session,
        get_available_providers=lambda: [PROVIDER, "CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    return asked


@pytest.mark.parametrize(
    ("precision", "options"),
    [("fp32", {}), ("fp16", {"trt_fp16_enable": "1"}), ("int8", {"trt_int8_enable": "1"})],
)
def test_tensorrt_comes_first_and_may_use_the_precision(build, precision, options, tmp_path, monkeypatch):
    monkeypatch.setattr("lsbench.runtimes._is_installed", lambda package: True)
    assert RUNTIME.problem("tensorrt", precision) is None
    RUNTIME.load(tmp_path, Form(precision, "cuda", threads=3))
    [(file, threads, providers)] = build
    assert (file, threads) == (str(tmp_path / "model.onnx"), 3)
    assert providers == [(PROVIDER, options), ("CUDAExecutionProvider", {})]


def test_without_it_one_line_says_what_to_do(monkeypatch):
    line = RUNTIME.problem("tensorrt", "fp16")
    assert line.startswith("runtime: tensorrt: the installed onnxruntime has no TensorrtExecutionProvider; ")
    assert RUNTIME.problem("tensorrt", device="cpu") == (
        "runtime: tensorrt runs on a GPU, not on a CPU; choose another runtime"
    )
    assert "set `quantisation: static`" in RUNTIME.problem("tensorrt", "int8", quantisation="dynamic")
