"""The GPU programs of SKA against its definition: interpreted on the CPU, and run where there is a GPU."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch.library import opcheck
from torch.nn import functional as F

from lsbench.models.ops import ska_triton
from lsbench.models.ops.ska import ska

RUNNER = Path(__file__).with_name("run_interpreted.py")


class Case(NamedTuple):
    batch: int = 2
    channels: int = 6
    groups: int = 3
    kernel: int = 3
    height: int = 5
    width: int = 4
    dtype: torch.dtype = torch.float32
    layout: str = "contiguous"
    weight_layout: str = "contiguous"


CASES = {
    "one pixel": Case(height=1, width=1),
    "one row": Case(height=1, width=3),
    "one column": Case(height=4, width=1, layout="channels_last"),
    "one tap": Case(kernel=1),
    "5x5 taps": Case(kernel=5, batch=1),
    "7x7 taps": Case(kernel=7, batch=1, groups=2, channels=4, height=4, width=9),
    "7x7 taps of one pixel": Case(kernel=7, batch=1, groups=1, channels=1, height=1, width=1),
    "one weight for all": Case(groups=1),
    "a weight each": Case(groups=6),
    "one channel": Case(channels=1, groups=1),
    "five users": Case(channels=10, groups=2),
    "more users than are unrolled": Case(batch=1, channels=17, groups=1, height=2, width=3),
    "several blocks": Case(batch=3, channels=8, groups=4, height=9, width=7),
    "several blocks, channels_last": Case(
        batch=3,
        channels=8,
        groups=4,
        height=9,
        width=7,
        layout="channels_last",
        weight_layout="channels_last",
    ),
    "channels_last, weights contiguous": Case(layout="channels_last"),
    "weights channels_last": Case(weight_layout="channels_last"),
    "columns before rows": Case(layout="transposed", weight_layout="transposed"),
    "wide offsets": Case(height=7, width=7, channels=12),
    "wide offsets, channels_last": Case(height=7, width=7, channels=12, layout="channels_last"),
    "float64": Case(dtype=torch.float64),
    "float64, channels_last": Case(dtype=torch.float64, layout="channels_last"),
    "float16": Case(dtype=torch.float16),
    "bfloat16": Case(dtype=torch.bfloat16, layout="channels_last"),
}

#: Relative and absolute. The interpreter cuts what a half precision number cannot hold: one unit in the last
#: place.
TOLERANCES = {
    torch.float64: (1e-13, 1e-13),
    torch.float32: (1e-5, 1e-5),
    torch.float16: (2**-10, 1e-5),
    torch.bfloat16: (2**-7, 1e-5),
}


def arranged(tensor, layout):
    """The same values in another order in memory; a weight's channels are G and its taps."""
    if layout == "transposed":
        return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
    if layout == "channels_last":
        flat = tensor.flatten(1, -3).contiguous(memory_format=torch.channels_last)
        return flat.view(tensor.shape)
    return tensor


def tensors(case):
    """Return grad, x and weight."""
    generator = torch.Generator().manual_seed(0)
    shape = (case.batch, case.channels, case.height, case.width)
    weight_shape = (case.batch, case.groups, case.kernel**2, case.height, case.width)
    grad, x, weight = (
        torch.randn(size, generator=generator, dtype=torch.float64).to(case.dtype)
        for size in (shape, shape, weight_shape)
    )
    return arranged(grad, case.layout), arranged(x, case.layout), arranged(weight, case.weight_layout)


def definition(grad, x, weight, kernel):
    """y, grad_x and grad_weight in float64: unfold every neighbourhood, weigh it, differentiate."""
    grad, x, weight = (tensor.detach().double().cpu() for tensor in (grad, x, weight))
    x.requires_grad_()
    weight.requires_grad_()
    batch, channels, height, width = x.shape
    taps = kernel**2
    patches = F.unfold(x, kernel, padding=kernel // 2).view(batch, channels, taps, height, width)
    y = (patches * weight.repeat(1, channels // weight.shape[1], 1, 1, 1)).sum(2)
    return y.detach(), *torch.autograd.grad(y, (x, weight), grad)


def check_against_definition(found, given):
    """Values within rounding; dtype and strides of what they belong to."""
    _, x, weight, _ = given
    rtol, atol = TOLERANCES[x.dtype]
    for got, expected, like in zip(found, definition(*given), (x, x, weight), strict=True):
        assert (got.dtype, got.stride()) == (like.dtype, like.stride())
        torch.testing.assert_close(got.double().cpu(), expected, rtol=rtol, atol=atol)


def special_cases():
    empty = torch.empty(0, 4, 3, 3)
    huge = torch.full((1, 1, 1, 2), 300.0, dtype=torch.float16)
    cancelling = torch.zeros(1, 1, 9, 1, 2, dtype=torch.float16)
    cancelling[0, 0, 4:6, 0, 0] = torch.tensor([300.0, -299.0])
    _, x, weight = tensors(Case())
    return {
        "empty batch": (empty, empty, torch.empty(0, 2, 9, 3, 3), 3),
        "overflow": (torch.zeros_like(huge), huge, cancelling, 3),
        "expanded gradient": (torch.ones(()).expand(x.shape), x, weight, 3),
    }


@pytest.fixture(scope="module")
def given():
    return {name: (*tensors(case), case.kernel) for name, case in CASES.items()} | special_cases()


@pytest.fixture(scope="module")
def interpreted(given, tmp_path_factory):
    """All cases by one process: it has to know that it interprets before it imports Triton."""
    folder = tmp_path_factory.mktemp("interpreted")
    torch.save(given, folder / "cases")
    command = [sys.executable, str(RUNNER), str(folder / "cases"), str(folder / "results")]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return torch.load(folder / "results")


@pytest.mark.parametrize("name", [*CASES, "expanded gradient"])
def test_interpreted_programs_equal_the_definition(name, given, interpreted):
    check_against_definition(interpreted[name], given[name])


def test_no_overflow_inside_a_half_precision_sum(interpreted):
    assert interpreted["overflow"][0][0, 0, 0, 0].item() == 300


def test_an_empty_batch_needs_no_launch(interpreted):
    assert [tuple(result.shape) for result in interpreted["empty batch"]] == [
        (0, 4, 3, 3),
        (0, 4, 3, 3),
        (0, 2, 9, 3, 3),
    ]


def test_without_channels_the_weights_have_a_gradient_of_zero():
    none = torch.empty(1, 0, 2, 2)
    _, grad_weight = ska_triton.backward(none, none, torch.ones(1, 1, 9, 2, 2), 3)
    assert grad_weight.count_nonzero() == 0


def test_without_triton_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "lsbench.models.ops.ska_triton_kernels", raising=False)
    monkeypatch.delattr("lsbench.models.ops.ska_triton_kernels", raising=False)
    _, x, weight = tensors(Case())
    with pytest.raises(RuntimeError, match="pip install triton"):
        ska_triton.forward(x, weight, 3)


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_gpu_programs_equal_the_definition(name, given):
    *values, kernel = given[name]
    grad, x, weight = (tensor.cuda() for tensor in values)
    found = ska_triton.forward(x, weight, kernel), *ska_triton.backward(grad, x, weight, kernel)
    check_against_definition(found, (grad, x, weight, kernel))


@pytest.mark.gpu
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_the_operator_on_a_gpu_equals_the_definition(dtype, layout):
    case = Case(batch=4, channels=128, groups=16, height=14, width=14, dtype=dtype, layout=layout)
    grad, x, weight = (tensor.cuda() for tensor in tensors(case))
    x.requires_grad_()
    weight.requires_grad_()
    y = ska(x, weight)
    found = y, *torch.autograd.grad(y, (x, weight), grad)
    rtol, atol = TOLERANCES[dtype]
    for got, expected in zip(found, definition(grad, x, weight, 3), strict=True):
        assert got.dtype == dtype
        torch.testing.assert_close(got.double().cpu(), expected, rtol=rtol, atol=atol)


@pytest.mark.gpu
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_gpu_opcheck_and_gradcheck(layout):
    grad, x, weight = (tensor.cuda() for tensor in tensors(Case(dtype=torch.float64, layout=layout)))
    opcheck(torch.ops.lsbench.ska_backward, (grad, x, weight))
    x.requires_grad_()
    weight.requires_grad_()
    opcheck(torch.ops.lsbench.ska, (x, weight))
    assert torch.autograd.gradcheck(ska, (x, weight))


@pytest.mark.gpu
def test_gpu_results_repeat_to_the_bit_whatever_the_batch():
    grad, x, weight = (
        t.cuda() for t in tensors(Case(batch=64, channels=128, groups=16, height=14, width=14))
    )
    whole = ska_triton.forward(x, weight, 3), *ska_triton.backward(grad, x, weight, 3)
    for index in (0, 63):
        one = (tensor[index : index + 1] for tensor in (grad, x, weight))
        alone = ska_triton.backward(*one, 3)
        for got, expected in zip(alone, whole[1:], strict=True):
            assert torch.equal(got[0], expected[index])


@pytest.mark.gpu
def test_gpu_offsets_beyond_32_bits():
    height, width = 2**14 + 1, 2**14
    x = torch.zeros(1, 8, height, width, dtype=torch.float16, device="cuda")
    x[0, 7, -1] = 3
    weight = torch.full((1, 1, 1, height, width), 2.0, dtype=torch.float16, device="cuda")
    y = ska_triton.forward(x, weight, 1)
    assert (y[0, 7, -1] == 6).all()
    assert y[0, 7, :-1].count_nonzero() == 0
