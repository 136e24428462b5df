import pytest

from lsbench.runtimes import Form
from lsbench.runtimes.onnxruntime import RUNTIME


@pytest.mark.parametrize("form", [Form(), Form("int8"), Form("int8", quantisation="dynamic")], ids=str)
def test_it_runs_the_file_in_its_precision(form, quantise, images, expected):
    folder, _ = quantise(form)
    found = RUNTIME.load(folder, form)(RUNTIME.takes(images, form))
    difference = float((found - expected).abs().max() / expected.abs().max())
    assert difference < (1e-5 if form.precision == "fp32" else 0.1)
    # An integer kernel cannot give the very same numbers.
    assert (difference > 1e-6) == (form.precision == "int8")


def test_without_a_build_for_gpus_it_says_so():
    line = RUNTIME.problem("onnxruntime", device="cuda")
    assert line.startswith("runtime: onnxruntime: the installed onnxruntime has no CUDAExecutionProvider; ")
    assert RUNTIME.problem("onnxruntime", "int8", device="cpu") is None
    assert RUNTIME.problem("onnxruntime", "bf16") == (
        "precision: onnxruntime cannot run bf16, only fp32, int8 on a CPU; fp32, int8 on a GPU; "
        "choose one of these"
    )
