"""The GPU programs of SKA against its definition: interpreted on the CPU, and run where there is a GPU."""

import copy
import math
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
from lsbench.models.perception import LargeSmallConv

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
    "5x5 taps, odd sizes, weights contiguous": Case(kernel=5, height=7, width=3, layout="channels_last"),
    "7x7 taps, channels_last": Case(
        kernel=7, height=3, width=5, layout="channels_last", weight_layout="channels_last"
    ),
    "7x7 taps of float16": Case(kernel=7, height=5, width=3, dtype=torch.float16),
    "5x5 taps of bfloat16": Case(
        kernel=5, height=3, width=7, dtype=torch.bfloat16, weight_layout="channels_last"
    ),
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


#: Those that a GPU compiles: each takes seconds, and the others differ from these in numbers only.
ON_GPU = (
    "7x7 taps, channels_last",
    "several blocks, channels_last",
    "columns before rows",
    "wide offsets",
    "float64, channels_last",
)
TAILS_ON_GPU = ("tail, channels_last", "tail in float16")

#: With the dtype of the vectors, which may differ from that of features and weights.
TAILS = {
    "one group": (Case(groups=1), torch.float32),
    "tail": (Case(), torch.float32),
    "tail, channels_last": (Case(layout="channels_last", weight_layout="channels_last"), torch.float32),
    "tail, weights contiguous": (Case(layout="channels_last"), torch.float32),
    "tail, weights channels_last": (Case(weight_layout="channels_last"), torch.float32),
    "tail, more values than a block": (
        Case(batch=1, height=13, width=11, layout="channels_last", weight_layout="channels_last"),
        torch.float32,
    ),
    "tail, more values than a block, contiguous": (Case(batch=1, height=13, width=11), torch.float32),
    "tail, wide offsets": (Case(layout="channels_last"), torch.float32),
    "tail of one pixel": (Case(height=1, width=1), torch.float32),
    "tail of 5x5 taps": (Case(kernel=5, height=3, width=7), torch.float32),
    "tail of 7x7 taps": (
        Case(kernel=7, height=5, width=3, layout="channels_last", weight_layout="channels_last"),
        torch.float32,
    ),
    "tail of many users": (Case(batch=1, channels=17, groups=1, height=2, width=3), torch.float32),
    "tail in float64": (Case(dtype=torch.float64), torch.float64),
    "tail in float16": (Case(dtype=torch.float16, kernel=5, height=7), torch.float16),
    "tail in bfloat16, vectors in float32": (
        Case(dtype=torch.bfloat16, layout="channels_last", weight_layout="channels_last"),
        torch.float32,
    ),
}
EPSILONS = (1e-4, 1e-3)

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


def arguments_of_tail(name):
    """Features, raw weights, the vectors of both norms, both epsilons and the groups."""
    case, dtype = TAILS[name]
    _, x, weight = tensors(case)
    generator = torch.Generator().manual_seed(1)
    raw_channels = case.groups * case.kernel**2
    affine = tuple(torch.rand(raw_channels, generator=generator).to(dtype) + shift for shift in (0.5, -0.5))
    drawn = [torch.rand(case.channels, generator=generator).to(dtype) for _ in range(4)]
    norm = tuple(vector + shift for vector, shift in zip(drawn, (0.5, -0.5, -0.5, 0.5), strict=True))
    raw = arranged((3 * weight + 1).to(case.dtype).flatten(1, 2).contiguous(), case.weight_layout)
    return x, raw, affine, norm, EPSILONS, case.groups


def defined_tail(x, weight, affine, norm, epsilons, groups):
    """The four steps one by one, in float64."""
    x, weight, *vectors = (t.double().cpu() for t in (x, weight, *affine, *norm))
    weight = F.group_norm(weight, groups, vectors[0], vectors[1], epsilons[0]).unflatten(1, (groups, -1))
    y, _, _ = definition(torch.zeros_like(x), x, weight, math.isqrt(weight.shape[2]))
    scale, shift, mean, variance = vectors[2:]
    return F.batch_norm(y, mean, variance, scale, shift, training=False, eps=epsilons[1]) + x


def check_tail(found, given):
    x = given[0]
    assert (found.dtype, found.stride()) == (x.dtype, x.stride())
    rtol, atol = TOLERANCES[x.dtype]
    torch.testing.assert_close(found.double().cpu(), defined_tail(*given), rtol=2 * rtol, atol=10 * atol)


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
    plain = {name: (*tensors(case), case.kernel) for name, case in CASES.items()}
    return plain | special_cases() | {name: arguments_of_tail(name) for name in TAILS}


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


@pytest.mark.parametrize("name", TAILS)
def test_the_interpreted_tail_equals_the_four_steps(name, given, interpreted):
    check_tail(interpreted[name], given[name])


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
@pytest.mark.parametrize("name", TAILS_ON_GPU)
def test_the_gpu_tail_equals_the_four_steps(name, given):
    x, weight, affine, norm, epsilons, groups = given[name]
    on_gpu = [tuple(vector.cuda() for vector in vectors) for vectors in (affine, norm)]
    moved = (x.cuda(), weight.cuda(), *on_gpu, epsilons, groups)
    check_tail(ska_triton.tail(*moved), moved)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ON_GPU)
def test_gpu_programs_equal_the_definition(name, given):
    *values, kernel = given[name]
    grad, x, weight = (tensor.cuda() for tensor in values)
    found = ska_triton.forward(x, weight, kernel), *ska_triton.backward(grad, x, weight, kernel)
    check_against_definition(found, (grad, x, weight, kernel))


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("dtype", "layout"), [(torch.float16, "channels_last"), (torch.bfloat16, "contiguous")]
)
def test_the_operator_on_a_gpu_equals_the_definition(dtype, layout):
    case = Case(batch=2, channels=128, groups=16, height=14, width=14, dtype=dtype, layout=layout)
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
def test_an_ls_convolution_in_channels_last_trains_and_fuses_on_a_gpu_as_on_a_cpu():
    torch.manual_seed(0)
    conv = LargeSmallConv(32, kernel_large=7, kernel_small=3, channels_per_group=8)
    x = torch.randn(2, 32, 9, 7).contiguous(memory_format=torch.channels_last)
    found = []
    for device in ("cpu", "cuda"):
        moved = copy.deepcopy(conv).to(device, memory_format=torch.channels_last)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            y = moved(x.to(device))
            y.square().mean().backward()
            gradients = [parameter.grad.cpu() for parameter in moved.parameters()]
            with torch.no_grad():
                fused = moved.eval().fused()(x.to(device))
        assert y.is_contiguous(memory_format=torch.channels_last)
        assert fused.is_contiguous(memory_format=torch.channels_last)
        found.append([y.detach().cpu(), fused.cpu(), *gradients])
    for on_cpu, on_gpu in zip(*found, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
def test_gpu_opcheck_and_gradcheck():
    case = Case(dtype=torch.float64, layout="channels_last", weight_layout="channels_last")
    grad, x, weight = (tensor.cuda() for tensor in tensors(case))
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
    whole = ska_triton.backward(grad, x, weight, 3)
    for index in (0, 63):
        one = (tensor[index : index + 1] for tensor in (grad, x, weight))
        alone = ska_triton.backward(*one, 3)
        for got, expected in zip(alone, whole, strict=True):
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
