import sys
from types import SimpleNamespace

import pytest
import torch

from lsbench.runtimes import Form
from lsbench.runtimes import _sessions as sessions


def test_its_version_is_that_of_the_package_for_cpus_or_gpus(monkeypatch):
    known = {"onnxruntime-gpu": "1.30.0"}
    monkeypatch.setattr(sessions, "package_version", known.get)
    assert sessions.version() == "1.30.0"
    known["onnxruntime"] = "1.32.0"
    assert sessions.version() == "1.32.0"


def test_a_session_has_the_threads_of_the_form_and_every_optimisation(folder, images, expected):
    run = sessions.open_session(folder, Form(threads=2), [("CPUExecutionProvider", {})])
    torch.testing.assert_close(run(images), expected, rtol=1e-5, atol=1e-5)


def test_a_provider_that_is_not_in_the_build_is_named_with_the_cure():
    assert sessions.lacks_provider("CPUExecutionProvider") is None
    assert "has no TensorrtExecutionProvider; install a build for GPUs" in sessions.lacks_provider(
        "TensorrtExecutionProvider"
    )


def test_a_session_that_falls_back_to_another_provider_is_an_error(folder, monkeypatch):
    session = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    fake = SimpleNamespace(
        SessionOptions=SimpleNamespace,
        GraphOptimizationLevel=SimpleNamespace(ORT_ENABLE_ALL=99),
        InferenceSession=lambda *args, **kwargs: session,
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    with pytest.raises(RuntimeError, match="did not take CUDAExecutionProvider for the model, but CPUExec"):
        sessions.open_session(folder, Form(device="cuda"), [("CUDAExecutionProvider", {})])
