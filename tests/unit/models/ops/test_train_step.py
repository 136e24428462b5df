"""Operators of training steps against torch's own layers in float64."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lsbench.models.ops.suited import is_suited
from lsbench.models.ops.train_step import can_join, conv_norm, kind_of, norm_plus, pointwise

#: in, out, kernel, stride, groups, side: every kind; channels that fill no whole vectors; odd maps; 1x1 maps.
CASES = {
    "pointwise": (16, 36, 1, 1, 1, 5),
    "pointwise of one pixel": (12, 20, 1, 1, 1, 1),
    "depthwise": (24, 24, 7, 1, 24, 4),
    "depthwise of stride 2": (16, 16, 3, 2, 16, 7),
    "depthwise beyond the map": (8, 8, 5, 1, 8, 2),
    "dense": (3, 16, 3, 2, 1, 9),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def laid_out(*shape: int) -> Tensor:
    return torch.randn(shape).to(memory_format=torch.channels_last)


def create(case: str) -> tuple[nn.Conv2d, nn.BatchNorm2d, Tensor]:
    torch.manual_seed(0)
    inner, outer, kernel, stride, groups, side = CASES[case]
    conv = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False)
    norm = nn.BatchNorm2d(outer)
    nn.init.uniform_(norm.weight, -1, 1)
    nn.init.uniform_(norm.bias, -1, 1)
    x = laid_out(70, inner, side, side) + 2  # rows in whole blocks and a rest
    return conv.to(memory_format=torch.channels_last), norm, x


def assert_close(found: Tensor | None, expected: Tensor | None) -> None:
    assert found is not None
    assert expected is not None
    scale = float(expected.detach().abs().max())
    torch.testing.assert_close(found.double(), expected.double(), rtol=1e-5, atol=2e-6 * max(scale, 1e-3))


@pytest.mark.parametrize("after", ["nothing", "relu", "residual"])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_layers_forward_and_backward(case: str, after: str) -> None:
    conv, norm, x = create(case)
    exact_conv, exact_norm = copy.deepcopy(conv).double(), copy.deepcopy(norm).double()
    expected = exact_norm(exact_conv(given := x.double().requires_grad_()))
    past = laid_out(*expected.shape).requires_grad_()
    expected = {"nothing": expected, "relu": expected.relu(), "residual": expected + past.double()}[after]
    own = x.clone().requires_grad_()
    assert is_suited(own, conv, norm)
    residual = past if after == "residual" else None
    found = conv_norm(own, conv, norm, has_relu=after == "relu", residual_BCHW=residual)
    assert_close(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)
    grad = laid_out(*expected.shape)
    found.backward(grad)  # type: ignore[no-untyped-call]
    past_grad, past.grad = past.grad, None
    expected.backward(grad.double())
    assert_close(own.grad, given.grad)
    assert_close(conv.weight.grad, exact_conv.weight.grad)
    assert_close(norm.weight.grad, exact_norm.weight.grad)
    assert_close(norm.bias.grad, exact_norm.bias.grad)
    if residual is not None:
        assert_close(past_grad, past.grad)
    for mine, exact in zip(norm.buffers(), exact_norm.buffers(), strict=True):
        assert_close(mine, exact)


def test_a_norm_with_a_residual_equals_the_layers() -> None:
    torch.manual_seed(0)
    norm, x, past = nn.BatchNorm2d(20), laid_out(9, 20, 3, 3), laid_out(9, 20, 3, 3)
    exact = copy.deepcopy(norm).double()
    expected = exact(given := x.double().requires_grad_()) + past
    found = norm_plus(own := x.clone().requires_grad_(), norm, past)
    assert_close(found, expected)
    found.square().sum().backward()  # type: ignore[no-untyped-call]
    expected.square().sum().backward()
    assert_close(own.grad, given.grad)
    assert_close(norm.running_var, exact.running_var)


def test_gradients_of_gradients_are_those_of_the_layers() -> None:
    conv, norm, x = create("pointwise of one pixel")
    found = []
    for run in (
        lambda x: conv_norm(x, conv, norm, has_relu=True),
        lambda x: norm(conv(x)).relu(),
    ):
        own = x.clone().requires_grad_()
        (first,) = torch.autograd.grad(run(own).square().sum(), own, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), (own, conv.weight)))
    for mine, expected in zip(*found, strict=True):
        assert_close(mine, expected)


def test_gradients_of_gradients_leave_out_what_is_frozen_and_count_shared_weights_once() -> None:
    conv, norm, x = create("pointwise of one pixel")
    conv = nn.Conv2d(12, 12, 1, bias=False)
    norm = nn.BatchNorm2d(12)
    norm.bias.requires_grad_(requires_grad=False)
    found = []
    for run in (lambda x: conv_norm(x, conv, norm), lambda x: norm(conv(x))):
        y = run(run(x))  # the features need no gradient
        (first,) = torch.autograd.grad(y.pow(3).sum(), conv.weight, create_graph=True)
        found.append((first, *torch.autograd.grad(first.square().sum(), (conv.weight, norm.weight))))
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_many_gradients_at_once_are_those_of_the_layers() -> None:
    conv, norm, x = create("depthwise of stride 2")
    x = x[:3].clone().requires_grad_()
    found = []
    for run in (lambda: conv_norm(x, conv, norm, has_relu=True), lambda: norm(conv(x)).relu()):
        y = run()
        grads = torch.randn(2, *y.shape, generator=torch.Generator().manual_seed(1))
        found.append(torch.autograd.grad(y, (x, conv.weight), grads, is_grads_batched=True))
    for mine, expected in zip(*found, strict=True):
        assert_close(mine, expected)


def test_a_pointwise_convolution_equals_the_layer() -> None:
    torch.manual_seed(0)
    conv, x = nn.Conv2d(6, 5, 1), laid_out(4, 6, 3, 2)
    found = pointwise(x, conv)
    assert_close(found, conv(x))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_not_a_number_stays_one_through_relu() -> None:
    conv, norm, x = create("pointwise")
    x[0, 0, 0, 0] = float("nan")
    assert conv_norm(x.requires_grad_(), conv, norm, has_relu=True).isnan().any()


def test_the_same_step_gives_the_same_bits() -> None:
    results = []
    for _ in range(2):
        conv, norm, x = create("depthwise")
        found = conv_norm(x.requires_grad_(), conv, norm)
        found.square().sum().backward()  # type: ignore[no-untyped-call]
        results.append((found, x.grad, conv.weight.grad))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))  # type: ignore[arg-type]


def test_maps_whose_tables_would_be_large_are_left_to_torch() -> None:
    """Each size of map has tables of its own: a detector on images of all sizes would keep gigabytes."""
    depthwise, dense = (nn.Conv2d(8, 8, 7, padding=3, groups=groups, bias=False) for groups in (8, 1))
    norm = nn.BatchNorm2d(8)
    assert can_join(laid_out(1, 8, 28, 28), depthwise, norm)
    assert not can_join(laid_out(1, 8, 100, 168), depthwise, norm)
    assert can_join(laid_out(1, 8, 56, 56), dense, norm)
    assert not can_join(laid_out(1, 8, 100, 168), dense, norm)
    assert can_join(laid_out(1, 8, 100, 168), nn.Conv2d(8, 8, 1, bias=False), norm)


def test_kinds_of_convolutions() -> None:
    def kind(*args: int, **options: object) -> str | None:
        return kind_of(nn.Conv2d(*args, bias=False, **options))  # type: ignore[arg-type]

    assert kind(8, 16, 1) == "pointwise"
    assert kind(8, 16, 3) == kind(8, 16, 1, stride=2) == "dense"
    assert kind(8, 8, 3, groups=8) == "depthwise"
    assert kind(8, 8, 3, groups=4) is kind(12, 12, 3, groups=12) is kind(8, 8, (3, 1)) is None
    assert kind_of(nn.Conv2d(8, 8, 1)) is None


def test_a_step_of_a_model_has_the_gradients_of_its_layers() -> None:
    from lsbench.models.factory import create_model

    torch.manual_seed(0)
    model = create_model("lsnet_nano", num_classes=10, img_size=32).to(memory_format=torch.channels_last)
    exact = copy.deepcopy(model).double()
    images, classes = laid_out(8, 3, 32, 32), torch.arange(8)
    loss = F.cross_entropy(model.train()(images), classes)
    expected = F.cross_entropy(exact.train()(images.double()), classes)
    assert_close(loss, expected)
    loss.backward()  # type: ignore[no-untyped-call]
    expected.backward()  # type: ignore[no-untyped-call]
    for mine, other in zip(model.parameters(), exact.parameters(), strict=True):
        assert mine.grad is not None
        assert other.grad is not None
        scale = float(other.grad.abs().max())
        torch.testing.assert_close(mine.grad.double(), other.grad, rtol=2e-3, atol=2e-4 * max(scale, 1e-2))
