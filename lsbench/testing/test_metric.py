"""Contract of every metric: one number per image, independent of the others, and a finite aggregate."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from lsbench.core.quantity import quantity
from lsbench.core.registry import METRICS
from lsbench.data.dataset import IMAGENET_MEAN, IMAGENET_STD
from lsbench.metrics import Metric, as_metric

TARGETS = torch.tensor([0, 6, 3, 3])


@pytest.fixture
def metric(name: str) -> Metric:
    return as_metric(METRICS.load(name)).for_images(IMAGENET_MEAN, IMAGENET_STD)


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(4, 7, generator=torch.Generator().manual_seed(0))


def test_it_gives_each_image_what_it_gives_it_alone(metric: Metric, logits: Tensor) -> None:
    together = metric.per_image(logits, TARGETS)
    assert len(together) == 4
    alone = torch.cat([metric.per_image(logits[i : i + 1], TARGETS[i : i + 1]) for i in range(4)])
    if together.dtype.is_floating_point:
        torch.testing.assert_close(alone, together)
    else:
        assert torch.equal(alone, together)


def test_its_summary_is_a_finite_number_with_a_unit_and_a_direction(
    name: str, metric: Metric, logits: Tensor
) -> None:
    value = metric.aggregate(metric.per_image(logits, TARGETS).numpy())
    assert isinstance(value, float)
    assert math.isfinite(value)
    declared = {one.name: one for one in METRICS.module(name).QUANTITIES}
    assert name in declared, f"QUANTITIES of '{name}' lacks '{name}': the metric's record has its name"
    assert declared[name].higher_is_better is not None
    assert quantity(name).unit == declared[name].unit, "another plug-in declares the name with another unit"


def test_its_attack_keeps_the_shape_and_changes_no_weight(metric: Metric) -> None:
    if metric.attack is None:
        assert metric.passes == 0
        return
    layer = nn.Linear(48, 7)
    model, before = nn.Sequential(nn.Flatten(), layer), layer.weight.clone()
    images = torch.zeros(4, 3, 4, 4)
    moved = metric.attack(model, images, TARGETS)
    assert moved.shape == images.shape
    assert not torch.equal(moved, images)
    assert torch.equal(layer.weight, before)
    assert metric.passes > 0
