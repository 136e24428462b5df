"""Every registered metric keeps the promises of its kind; a new one is covered at once."""

import math

import pytest
import torch
from torch import nn

from lsbench.core.quantity import declarations
from lsbench.core.registry import METRICS
from lsbench.data.dataset import IMAGENET_MEAN, IMAGENET_STD
from lsbench.metrics import Metric, as_metric

TARGETS = torch.tensor([0, 6, 3, 3])


@pytest.fixture(params=METRICS.names())
def name(request):
    return request.param


@pytest.fixture
def metric(name):
    return as_metric(METRICS.load(name)).for_images(IMAGENET_MEAN, IMAGENET_STD)


@pytest.fixture
def logits():
    return torch.randn(4, 7, generator=torch.Generator().manual_seed(0))


def test_it_gives_each_image_what_it_gives_it_alone(metric, logits):
    together = metric.per_image(logits, TARGETS)
    assert len(together) == 4
    alone = [metric.per_image(logits[i : i + 1], TARGETS[i : i + 1]) for i in range(4)]
    assert torch.equal(torch.cat(alone), together)


def test_its_summary_is_a_number_with_a_unit_and_a_direction(name, metric, logits):
    value = metric.aggregate(metric.per_image(logits, TARGETS).numpy())
    assert isinstance(value, float)
    assert math.isfinite(value)
    assert declarations()[name].quantity.higher_is_better is not None


def test_its_attack_keeps_the_shape_and_changes_no_weight(metric):
    if metric.attack is None:
        assert metric.passes == 0
        return
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 7))
    before = model[1].weight.clone()
    images = torch.zeros(4, 3, 4, 4)
    moved = metric.attack(model, images, TARGETS)
    assert moved.shape == images.shape
    assert not torch.equal(moved, images)
    assert torch.equal(model[1].weight, before)
    assert metric.passes > 0


def test_a_plain_function_is_a_metric_whose_mean_counts():
    found = as_metric(lambda logits, targets: logits.sum(dim=1))
    assert isinstance(found, Metric)
    assert found.aggregate(found.per_image(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), TARGETS).numpy()) == 5
    assert as_metric(found) is found
