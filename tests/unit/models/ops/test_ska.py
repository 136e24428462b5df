import io

import onnxruntime
import pytest
import torch
from torch.autograd import forward_ad
from torch.library import opcheck
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from lsbench.models.ops.ska import in_layout_of, ska, ska_backend

BACKENDS = ["reference", "cpu"]
SIZES = [(5, 4), (1, 1), (1, 3), (4, 1), (2, 2), (7, 7)]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 2e-3}

backends = pytest.mark.parametrize("backend", BACKENDS)
layouts = pytest.mark.parametrize("layout", ["nchw", "nhwc", "odd"])


def agree(found, expected):
    tolerance = TOLERANCE[found.dtype]
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


@backends
@layouts
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("shared", [(6, 3), (4, 1), (16, 16), (40, 10)], ids=str)
def test_equals_definition_with_gradients(inputs, definition, backend, layout, kernel, size, shared):
    (height, width), (channels, groups) = size, shared
    sizes = {"kernel": kernel, "height": height, "width": width, "channels": channels, "groups": groups}
    x, weight, upstream = inputs(**sizes, grad=True, layout=layout)
    found, expected = ska(x, weight, backend=backend), definition(x, weight)
    agree(found, expected)
    grads = torch.autograd.grad(found, (x, weight), upstream)
    for got, wanted in zip(grads, torch.autograd.grad(expected, (x, weight), upstream), strict=True):
        agree(got, wanted)


@backends
@layouts
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("groups", [2, 16])
def test_every_dtype_is_right_within_its_rounding(inputs, definition, backend, layout, dtype, groups):
    sizes = {"channels": 3 * groups, "groups": groups, "height": 9, "width": 6}
    x, weight, upstream = inputs(**sizes, dtype=dtype, grad=True, layout=layout)
    exact = [t.detach().double().requires_grad_() for t in (x, weight)]
    y, expected = ska(x, weight, backend=backend), definition(*exact)
    assert y.dtype == dtype
    agree(y, expected)
    grads = torch.autograd.grad(y, (x, weight), upstream)
    for got, wanted in zip(grads, torch.autograd.grad(expected, exact, upstream.double()), strict=True):
        assert got.dtype == dtype
        agree(got, wanted)


@backends
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize(
    ("kernel", "height", "width", "groups"), [(1, 2, 3, 2), (3, 3, 2, 8), (5, 2, 3, 1), (7, 1, 2, 8)]
)
def test_gradcheck_of_first_and_second_order(inputs, backend, layout, kernel, height, width, groups):
    sizes = {"batch": 1, "channels": 8, "groups": groups, "kernel": kernel, "height": height, "width": width}
    x, weight, _ = inputs(**sizes, grad=True, layout=layout)
    function = lambda *tensors: ska(*tensors, backend=backend)  # noqa: E731
    assert torch.autograd.gradcheck(function, (x, weight), fast_mode=height > 2)
    assert torch.autograd.gradgradcheck(function, (x, weight), fast_mode=True)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_many_gradients_at_once_dual_numbers_and_negative_views(inputs, definition):
    x, weight, _ = inputs(grad=True)
    y = ska(x, weight)
    many = torch.randn(2, *y.shape, dtype=y.dtype)
    grads = torch.autograd.grad(y, (x, weight), many, is_grads_batched=True, retain_graph=True)
    for number, upstream in enumerate(many):
        for got, wanted in zip(
            grads, torch.autograd.grad(y, (x, weight), upstream, retain_graph=True), strict=True
        ):
            agree(got[number], wanted)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        tangent = forward_ad.unpack_dual(ska(dual, weight)).tangent
        agree(tangent, definition(torch.ones_like(x), weight))
    agree(ska(torch._neg_view(x), weight), -y)


@backends
@layouts
def test_an_empty_batch_stays_empty(inputs, backend, layout):
    x, weight, _ = inputs(batch=0, grad=True, layout=layout)
    y = ska(x, weight, backend=backend)
    assert y.shape == (0, 6, 5, 4)
    y.sum().backward()
    assert x.grad.shape == x.shape
    assert weight.grad.shape == weight.shape


@backends
@layouts
def test_the_result_keeps_the_memory_format(inputs, backend, layout):
    x, weight, _ = inputs(layout=layout)
    expected = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    assert ska(x, weight, backend=backend).is_contiguous(memory_format=expected)


def test_features_and_weights_may_differ_in_memory_format(inputs, definition):
    for layouts_ in (("nchw", "nhwc"), ("nhwc", "nchw"), ("nhwc", "odd")):
        x = inputs(layout=layouts_[0], channels=24, groups=8, grad=True)[0]
        _, weight, upstream = inputs(layout=layouts_[1], channels=24, groups=8, grad=True)
        found, expected = ska(x, weight), definition(x, weight)
        agree(found, expected)
        grads = torch.autograd.grad(found, (x, weight), upstream)
        for got, wanted in zip(grads, torch.autograd.grad(expected, (x, weight), upstream), strict=True):
            agree(got, wanted)


@pytest.mark.parametrize(("layout", "groups"), [("nchw", 2), ("nhwc", 8)])
def test_opcheck_of_both_operators(inputs, layout, groups):
    x, weight, upstream = inputs(channels=16, groups=groups, dtype=torch.float32, grad=True, layout=layout)
    opcheck(torch.ops.lsbench.ska.default, (x, weight))
    opcheck(torch.ops.lsbench.ska_backward.default, (upstream, x, weight))


def test_channels_share_weights_interleaved():
    x = torch.ones(1, 4, 1, 1)
    weight = torch.tensor([10.0, 20.0]).view(1, 2, 1, 1, 1)
    assert ska(x, weight).flatten().tolist() == [10, 20, 10, 20]


def test_static_weights_are_a_depthwise_convolution(inputs):
    x, _, _ = inputs(channels=4)
    kernel = torch.randn(4, 1, 3, 3, dtype=torch.float64)
    weight = kernel.view(1, 4, 9, 1, 1).expand(2, 4, 9, 5, 4)
    torch.testing.assert_close(ska(x, weight), F.conv2d(x, kernel, padding=1, groups=4))


@backends
def test_no_overflow_inside_a_half_precision_sum(backend):
    weight = torch.zeros(1, 1, 9, 1, 2, dtype=torch.float16)
    weight[0, 0, 4:6, 0, 0] = torch.tensor([300.0, -299.0])
    x = torch.full((1, 1, 1, 2), 300.0, dtype=torch.float16)
    assert ska(x, weight, backend=backend)[0, 0, 0, 0].item() == 300


@backends
@pytest.mark.parametrize("wide", ["x", "weight", "both"])
def test_autocast_casts_both_and_gradients_come_back_in_their_own_dtype(inputs, backend, wide):
    x, weight, _ = inputs(dtype=torch.float32)
    x = x if wide in ("x", "both") else x.bfloat16()
    weight = weight if wide in ("weight", "both") else weight.bfloat16()
    expected = ska(x.bfloat16(), weight.bfloat16())
    x.requires_grad_(), weight.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = ska(x, weight, backend=backend)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, expected, rtol=1e-2, atol=1e-2)
    y.float().sum().backward()
    assert (x.grad.dtype, weight.grad.dtype) == (x.dtype, weight.dtype)


def test_autocast_reaches_the_bare_operator_and_leaves_float64_alone(inputs):
    x, weight, _ = inputs()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.ops.lsbench.ska(x.float(), weight.float()).dtype == torch.bfloat16
        assert ska(x, weight).dtype == torch.float64


def test_torchs_counter_counts_two_flops_per_product(inputs):
    x, weight, _ = inputs(kernel=5, grad=True)
    with FlopCounterMode(display=False) as counter:
        ska(x, weight).sum().backward()
    assert counter.get_total_flops() == 3 * 2 * 25 * x.numel()
    with FlopCounterMode(display=False) as counter:
        ska(x.detach().to("meta"), weight.detach().to("meta"))
    assert counter.get_total_flops() == 2 * 25 * x.numel()


class Aggregation(torch.nn.Module):
    def forward(self, x, weight):
        return ska(x, weight) + 1


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_compiles_whole_with_gradients(inputs, layout, monkeypatch):
    monkeypatch.setenv("CI", "true")  # there the compiler is stricter
    compiled = torch.compile(Aggregation(), fullgraph=True)
    x, weight, upstream = inputs(channels=16, groups=8, dtype=torch.float32, grad=True, layout=layout)
    found, expected = compiled(x, weight), Aggregation()(x, weight)
    torch.testing.assert_close(found, expected)
    grads = torch.autograd.grad(found, (x, weight), upstream)
    for got, wanted in zip(grads, torch.autograd.grad(expected, (x, weight), upstream), strict=True):
        torch.testing.assert_close(got, wanted)


def test_exports_as_one_operator_and_decomposes_for_onnx(inputs):
    x, weight, _ = inputs(dtype=torch.float32)
    program = torch.export.export(Aggregation(), (x, weight))
    assert torch.ops.lsbench.ska.default in {node.target for node in program.graph.nodes}
    file = io.BytesIO()
    torch.onnx.export(Aggregation(), (x, weight), dynamo=True, verbose=False).save(file)
    session = onnxruntime.InferenceSession(file.getvalue())
    names = [i.name for i in session.get_inputs()]
    (found,) = session.run(None, dict(zip(names, (x.numpy(), weight.numpy()), strict=True)))
    torch.testing.assert_close(torch.from_numpy(found), Aggregation()(x, weight), rtol=1e-5, atol=1e-5)


def test_backends_are_chosen_by_argument_or_for_a_block(inputs, monkeypatch):
    x, weight, _ = inputs()
    called = []
    module = "lsbench.models.ops.ska.ska_reference"
    monkeypatch.setattr(module, lambda *tensors: called.append(1) or torch.zeros_like(tensors[0]))
    ska(x, weight)
    assert called == []
    ska(x, weight, backend="reference")
    with ska_backend("reference"):
        ska(x, weight)
        ska(x, weight, backend="cpu")
    ska(x, weight)
    assert called == [1, 1]


def test_a_backend_that_cannot_run_is_refused(inputs):
    x, weight, _ = inputs()
    with pytest.raises(ValueError, match="'triton' cannot run on cpu; use 'cpu' there"):
        ska(x, weight, backend="triton")
    with pytest.raises(ValueError, match=r"unknown ska backend 'refrence' \(did you mean 'reference'\?\)"):
        ska(x, weight, backend="refrence")
    with pytest.raises(ValueError, match="there are: reference, cpu, triton"), ska_backend("zzz"):
        pass


@backends
def test_what_does_not_fit_is_refused_in_one_line(inputs, backend):
    x, weight, _ = inputs()

    def refused(error, match, *tensors):
        with pytest.raises(error, match=match) as caught:
            ska(*tensors, backend=backend)
        assert "\n" not in str(caught.value)

    refused(ValueError, "expects x", x[0], weight)
    refused(ValueError, "must agree", x[:1], weight)
    refused(ValueError, "do not divide", x[:, :5], weight)
    refused(ValueError, "odd K", x, weight[:, :, :4])
    refused(ValueError, "odd K", x, torch.cat([weight, weight[:, :, :7]], 2))
    refused(TypeError, "one floating dtype", x.float(), weight)
    refused(TypeError, "one floating dtype", x.long(), weight.long())


def test_weights_follow_the_features_into_channels_last(inputs):
    x, weight, upstream = inputs(grad=True)
    assert in_layout_of(x, weight) is weight
    last = x.detach().contiguous(memory_format=torch.channels_last)
    moved = in_layout_of(last, weight)
    assert torch.equal(moved, weight)
    assert moved.permute(0, 3, 4, 1, 2).is_contiguous()
    assert in_layout_of(last, moved).data_ptr() == moved.data_ptr()
    (found,) = torch.autograd.grad((ska(last, moved) * upstream).sum(), weight)
    (expected,) = torch.autograd.grad((ska(x, weight) * upstream).sum(), weight)
    torch.testing.assert_close(found, expected)
