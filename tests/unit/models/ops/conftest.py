"""Inputs of SKA, and its definition written the slow way."""

import math

import pytest
import torch
from torch.nn import functional as F


def definition(x, weight):
    """Unfold every neighbourhood, then weigh it, in float64."""
    batch, channels, height, width = x.shape
    groups, taps = weight.shape[1:3]
    kernel = math.isqrt(taps)
    patches = F.unfold(x.double(), kernel, padding=kernel // 2).view(batch, channels, taps, height, width)
    expanded = torch.stack([weight[:, c % groups].double() for c in range(channels)], dim=1)
    return (patches * expanded).sum(2)


def inputs(
    *,
    batch=2,
    channels=6,
    groups=3,
    kernel=3,
    height=5,
    width=4,
    dtype=torch.float64,
    grad=False,
    layout="nchw",
):
    """Features, weights and a gradient of the result; layout "odd" is dense in neither memory format."""
    generator = torch.Generator().manual_seed(0)

    def made(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    x, weight = made(batch, channels, height, width), made(batch, groups, kernel**2, height, width)
    upstream = made(*x.shape)
    if layout == "nhwc":
        x, upstream = (t.contiguous(memory_format=torch.channels_last) for t in (x, upstream))
        weight = weight.flatten(1, 2).contiguous(memory_format=torch.channels_last).view(weight.shape)
    if layout == "odd":
        x, upstream = (torch.stack([t, t], -1)[..., 0] for t in (x, upstream))
        weight = weight.transpose(3, 4).contiguous().transpose(3, 4)
    return x.requires_grad_(grad), weight.requires_grad_(grad), upstream


@pytest.fixture(name="definition")
def _definition():
    return definition


@pytest.fixture(name="inputs")
def _inputs():
    return inputs
