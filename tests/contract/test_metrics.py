"""Every metric of lsbench keeps the promises of its kind; a new one is covered at once."""

import pytest
import torch

from lsbench.core.registry import METRICS
from lsbench.metrics import Metric, as_metric
from lsbench.testing.test_metric import *  # noqa: F403 - every promise is tested here
from lsbench.testing.test_metric import TARGETS


@pytest.fixture(params=METRICS.own_names())
def name(request):
    return request.param


def test_a_plain_function_is_a_metric_whose_mean_counts():
    found = as_metric(lambda logits, targets: logits.sum(dim=1))
    assert isinstance(found, Metric)
    assert found.aggregate(found.per_image(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), TARGETS).numpy()) == 5
    assert as_metric(found) is found
