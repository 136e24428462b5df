import numpy as np
import pytest
import torch

from lsbench.metrics.ece import METRIC


def by_hand(logits, targets, bins=15):
    """Eq. 3 of Guo et al., bin by bin and image by image."""
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    error = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        members = [i for i, row in enumerate(probabilities) if low < row.max() <= high]
        if members:
            right = np.mean([probabilities[i].argmax() == targets[i] for i in members])
            sure = np.mean([probabilities[i].max() for i in members])
            error += len(members) / len(logits) * abs(right - sure)
    return error


def ece(logits, targets):
    return METRIC.aggregate(METRIC.per_image(torch.from_numpy(logits), torch.from_numpy(targets)).numpy())


@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0, 50.0])
def test_it_is_the_papers_formula(spread):
    rng = np.random.default_rng(0)
    logits = spread * rng.standard_normal((500, 7))
    targets = np.where(rng.random(500) < 0.5, logits.argmax(1), rng.integers(0, 7, 500))
    assert ece(logits, targets) == pytest.approx(by_hand(logits, targets), abs=1e-9)


def test_what_is_sure_and_right_has_no_error_and_what_is_sure_and_wrong_all_of_it():
    logits = np.eye(4) * 1000
    assert ece(logits, np.arange(4)) == 0
    assert ece(logits, (np.arange(4) + 1) % 4) == 1


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    values = np.array([[3 / 15, 1.0], [3 / 15 + 1e-9, 0.0]])
    assert METRIC.aggregate(values) == pytest.approx((12 / 15 + 3 / 15) / 2, abs=1e-6)
    together = np.array([[2.5 / 15, 1.0], [3 / 15, 0.0]])
    assert METRIC.aggregate(together) == pytest.approx(abs(1 - 5.5 / 15) / 2)
