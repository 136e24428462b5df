from types import SimpleNamespace

import openvino
import pytest

from lsbench.runtimes import Form
from lsbench.runtimes.openvino import RUNTIME


@pytest.mark.parametrize("form", [Form(), Form("int8")], ids=str)
def test_it_runs_the_file_in_its_precision(form, quantise, images, expected):
    folder, _ = quantise(form)
    run = RUNTIME.load(folder, form)
    found = run(RUNTIME.takes(images, form))
    difference = float((found - expected).abs().max() / expected.abs().max())
    assert difference < (1e-5 if form.precision == "fp32" else 0.1)
    assert (difference > 1e-6) == (form.precision == "int8")
    before = found.clone()
    run(-images)
    assert found.equal(before), "a later pass must not write over earlier logits"


def test_what_this_machine_cannot_do_is_one_line(monkeypatch):
    problem = RUNTIME.problem("openvino", "int8", quantisation="dynamic")
    assert problem == "quantisation: openvino knows no dynamic one; set `quantisation: static`"
    assert "runs on a CPU, not on a GPU" in RUNTIME.problem("openvino", device="cuda")
    monkeypatch.setattr(openvino, "Core", lambda: SimpleNamespace(get_property=lambda *names: ["FP32"]))
    assert RUNTIME.problem("openvino") is None
    assert RUNTIME.problem("openvino", "bf16").endswith("cannot compute in bf16; choose another precision")


def test_a_cpu_that_computes_in_another_precision_is_an_error(folder, monkeypatch):
    used = SimpleNamespace(get_property=lambda name: SimpleNamespace(to_string=lambda: "f32"))
    core = SimpleNamespace(read_model=str, compile_model=lambda *args: used)
    monkeypatch.setattr(openvino, "Core", lambda: core)
    with pytest.raises(RuntimeError, match="computes in f32, not in bf16"):
        RUNTIME.load(folder, Form("bf16"))
