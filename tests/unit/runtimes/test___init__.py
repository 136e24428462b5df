import pytest
import torch
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.core.registry import RUNTIMES
from lsbench.runtimes import Form, Runtime, missing_compiler, prepare


@pytest.fixture
def model():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()


@pytest.fixture
def images():
    return torch.ones(1, 3, 2, 2)


def test_a_prepared_model_takes_images_and_gives_logits_in_float32(model, images, tmp_path):
    expected = model(images)
    made = prepare("eager", model, images, Form("bf16"), tmp_path)
    assert made.takes(images).dtype == made.run(made.takes(images)).dtype == torch.bfloat16
    assert made(images).dtype == torch.float32
    torch.testing.assert_close(made(images), expected, rtol=0.02, atol=0.02)
    assert list(made.seconds) == ["load", "first pass"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_loaded_and_its_steps_are_timed(model, images, tmp_path, monkeypatch):
    def write(model, images, form, calibration, folder):
        assert calibration is None
        torch.save(model, folder / "it")
        return {"export": 1.5}

    def load(folder, form):
        return torch.load(folder / "it", weights_only=False)

    own = Runtime(load, {"cpu": ("fp32",)}, lambda: "1", write=write)
    monkeypatch.setattr(type(RUNTIMES), "load", lambda self, name: own)
    made = prepare("mine", model, images, Form(), tmp_path)
    assert list(made.seconds) == ["export", "load", "first pass"]
    torch.testing.assert_close(made(images), model(images))


def test_static_quantisation_needs_images(model, images, tmp_path):
    with pytest.raises(ConfigError, match="needs calibration images"):
        prepare("onnxruntime", model, images, Form("int8"), tmp_path)
    assert not Form("int8", quantisation="dynamic").needs_calibration


@pytest.mark.parametrize("name", ["compile", "aot"])
def test_without_a_compiler_one_line_says_so(name, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -O2")
    assert RUNTIMES.load(name).problem(name) == (
        f"runtime: {name}: needs a C++ compiler, and no-such-compiler is not found here; install one, or set "
        "CXX, or choose another runtime"
    )
    monkeypatch.setenv("CXX", " ")
    assert missing_compiler() in (None, "g++", "clang++")
    monkeypatch.delenv("CXX")
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert missing_compiler() in ("g++", "clang++")
    assert RUNTIMES.load("eager").problem("eager") is None


def test_a_wrong_name_is_answered_with_the_nearest_one(model, images, tmp_path):
    with pytest.raises(ConfigError, match=r"unknown runtime 'onnxruntim' \(did you mean 'onnxruntime'"):
        prepare("onnxruntim", model, images, Form(), tmp_path)
