import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.utils import dispatch_clip_grad
from timm.utils.agc import adaptive_clip_grad
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from lsbench.engine.clipping import clip_adaptively, clip_gradients
from lsbench.engine.training_spec import Clip
from lsbench.models.factory import create_model

SHAPES = [(), (1,), (5,), (3, 4), (1, 7), (4, 2, 3, 3), (6, 1, 7, 7), (2, 3, 5)]


def parameters_of(shapes, *, seed=0, spread=3.0, dtype=torch.float32):
    """Parameters whose units have gradients from far below to far above what is allowed."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for shape in shapes:
        units = (*shape[:1], *(1 for _ in shape[1:]))
        weight, gradient = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
        gradient *= (spread * torch.randn(units, generator=generator, dtype=torch.float64) - 3).exp()
        parameter = nn.Parameter(weight.to(dtype))
        parameter.grad = gradient.to(dtype)
        found.append(parameter)
    return found


class Calls(TorchDispatchMode):
    """Counts operator calls."""

    count = 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        self.count += 1
        return operator(*args, **(kwargs or {}))


@settings(deadline=None, max_examples=40)
@given(
    shapes=st.lists(st.sampled_from(SHAPES), max_size=6),
    seed=st.integers(0, 2**31),
    factor=st.floats(1e-3, 1.0),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_adaptive_clipping_equals_timms_to_the_bit(shapes, seed, factor, dtype):
    ours, timms = (parameters_of(shapes, seed=seed, dtype=dtype) for _ in range(2))
    clip_adaptively(ours, factor)
    adaptive_clip_grad(timms, factor)
    assert all(torch.equal(one.grad, other.grad) for one, other in zip(ours, timms, strict=True))


@pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf"), 1e-30])
def test_adaptive_clipping_treats_extreme_gradients_as_timm_does(bad):
    ours, timms = (parameters_of(SHAPES) for _ in range(2))
    for parameters in (ours, timms):
        for parameter in parameters[::2]:
            parameter.grad.view(-1)[0] = bad
            parameter.data.view(-1)[0] = 0
        parameters[3].grad.fill_(bad)
        parameters[4].data.zero_()
    clip_adaptively(ours, 0.02)
    adaptive_clip_grad(timms, 0.02)
    for one, other in zip(ours, timms, strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=0, equal_nan=True)


def test_parameters_in_channels_last_and_without_a_gradient():
    ours, timms = (parameters_of(SHAPES) for _ in range(2))
    for parameters in (ours, timms):
        for parameter in parameters:
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
                parameter.grad = parameter.grad.contiguous(memory_format=torch.channels_last)
        parameters[3].grad = None
    clip_adaptively(ours, 0.02)
    adaptive_clip_grad(timms, 0.02)
    assert ours[3].grad is None
    for one, other in zip(ours, timms, strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    clip_adaptively([nn.Parameter(torch.ones(2))], 0.02)


def test_an_update_of_lsnet_needs_less_than_one_call_per_parameter():
    model = create_model("lsnet_nano", num_classes=10, img_size=32)
    parameters = list(model.parameters())
    counts = []
    for clip in (clip_adaptively, adaptive_clip_grad):
        for parameter in parameters:
            parameter.grad = torch.ones_like(parameter)
        with Calls() as calls:
            clip(parameters, 0.02)
        counts.append(calls.count)
    assert counts[0] < len(parameters)
    assert counts[1] >= 10 * len(parameters)


@pytest.mark.parametrize("mode", ["norm", "value", "agc"])
def test_every_mode_is_timms(mode):
    ours, timms = (parameters_of(SHAPES) for _ in range(2))
    clip_gradients(ours, Clip(mode=mode, value=0.02))
    dispatch_clip_grad(timms, 0.02, mode=mode)
    assert all(torch.equal(one.grad, other.grad) for one, other in zip(ours, timms, strict=True))
