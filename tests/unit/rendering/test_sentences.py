import math
from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from lsbench.rendering.sentences import base, comparison_notes, sentence
from lsbench.stats.paired import Difference, over_seeds
from lsbench.tables.comparisons import Comparison, judged


def compared(value, low, high, p_value, *, metric="top1", seeds=3, images=10_000, detectable=None):
    error = None if low is None else (high - low) / 4
    difference = Difference(value, low, high, p_value, error, math.inf, seeds, images)
    names = ("involution", "Involution", "LS conv")
    return Comparison(*names, metric, "fashion", "p|v1", difference, p_value, detectable)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            compared(-0.041, -0.052, -0.03, 0.001),
            "LS conv is better than Involution by 4.1 points, 95 % interval 3.0 to 5.2",
        ),
        (
            compared(0.041, 0.03, 0.052, 0.001),
            "Involution is better than LS conv by 4.1 points, 95 % interval 3.0 to 5.2",
        ),
        (
            compared(-0.02, -0.03, -0.01, 0.001, metric="mce"),
            "Involution is better than LS conv by 2.0 points of mCE, 95 % interval 1.0 to 3.0",
        ),
        (
            compared(-0.002, -0.012, 0.008, 0.7, detectable=0.017),
            "Involution and LS conv cannot be told apart: -0.2 points, 95 % interval -1.2 to +0.8; "
            "a true difference of 1.7 points would be detected in 80 % of cases",
        ),
        (
            compared(0.0051, 0.0001, 0.0101, 0.12),
            "Involution and LS conv cannot be told apart: +0.51 points, 95 % interval +0.01 to +1.01",
        ),
        (
            compared(0.013, None, None, None, seeds=1, images=0),
            "Involution against LS conv: +1.30 points; no interval, so it may be chance",
        ),
        (compared(0.0, 0.0, 0.0, 1.0), "Involution and LS conv: exactly equal"),
    ],
)
def test_a_comparison_in_words(one, words):
    assert sentence(one) == words


def over_seeds_of(*values, metric="top1"):
    named = Comparison("id", "identity", "LS conv", metric, "fashion", "p|v1", over_seeds(values))
    return judged([named])[0]


def test_two_seeds_cannot_tell_and_nothing_impossible_is_said():
    one = over_seeds_of(0.30, -0.34)
    assert one.detectable is None
    words = sentence(one)
    assert words == ("identity against LS conv: two seeds cannot tell: -2 points, 95 % interval -100 to +100")
    assert "two seeds cannot tell" not in sentence(over_seeds_of(0.30, 0.301)), "so clear that two seeds tell"


def test_from_three_seeds_on_it_is_said_how_many_would_tell():
    differences = (0.004, -0.002, 0.001)
    one = over_seeds_of(*differences)
    spread = np.std(differences, ddof=1)
    point, seen = (
        max(math.ceil(TTestPower().solve_power(size / spread, alpha=0.05, power=0.8)), 3)
        for size in (0.01, np.mean(differences))
    )
    assert (one.seeds_for_point, one.seeds_for_seen) == (point, seen)
    assert sentence(one).endswith(
        f"; {point} seeds would find a difference of 1 point in 80 % of runs, "
        f"{seen} seeds one of the size seen"
    )
    assert "would be detected" not in sentence(one)
    latency = sentence(over_seeds_of(0.4, -0.2, 0.1, metric="train_loss"))
    assert latency.endswith(f"; {seen} seeds would find a difference of the size seen in 80 % of runs")
    assert (
        "not even 10,000 seeds would find a difference of 1 point, or of the size seen, in 80 % of runs"
        in sentence(over_seeds_of(4.0, -4.0, 1e-6))
    )
    assert sentence(over_seeds_of(0.01, -0.01, 0.0)).endswith("in 80 % of runs"), "no difference was seen"


def test_a_difference_beyond_all_shares_is_not_called_detectable():
    found = Difference(0.0, -0.5, 0.5, 1.0, 0.9, math.inf, 1, 3)
    assert "detected" not in sentence(replace(compared(0, 0, 0, 1), difference=found, detectable=2.5))


def test_what_it_stands_on_is_said():
    assert base(compared(0.1, 0.0, 0.2, 0.1)) == "3 seeds, 10,000 images"
    assert base(compared(0.1, 0.0, 0.2, 0.1, seeds=1, images=50)) == "one seed, 50 images"
    assert base(compared(0.1, 0.0, 0.2, 0.1, images=0)) == "3 seeds"


def test_one_seed_speaks_of_trained_models_alone():
    one, three = compared(0.1, 0.0, 0.2, 0.1, seeds=1), compared(0.1, 0.0, 0.2, 0.1)
    assert any("these trained models" in note for note in comparison_notes([one]))
    assert not any("these trained models" in note for note in comparison_notes([three]))
    both = judged([one, three])
    assert "2 comparisons" in comparison_notes(both)[0]
    assert "2 comparisons" in comparison_notes(both[:1])[0], "a part of the table was adjusted for all of it"
    assert "1 comparison of" in comparison_notes(judged([one]))[0]
    assert comparison_notes([]) == []


def test_average_precision_and_miou_have_a_bootstrap_and_no_mcnemar_test():
    one = [compared(0.1, 0.0, 0.2, 0.1, seeds=1, metric=name) for name in ("retinanet_ap", "miou", "miou")]
    notes = comparison_notes(one)
    assert notes[-1].startswith("One seed, RetinaNet AP, mIoU: interval and p are of a paired bootstrap over")
    assert not any("McNemar" in note for note in notes)
    both = comparison_notes([*one, compared(0.1, 0.0, 0.2, 0.1, seeds=1)])
    assert ["McNemar" in note for note in both[-2:]] == [True, False]


def test_only_a_metric_of_images_is_said_to_be_compared_without_them():
    top1, ratio = (
        replace(compared(0.1, 0.0, 0.2, 0.1, metric=metric, images=0), reason="none are kept")
        for metric in ("top1", "latency_ratio")
    )
    assert "Over seeds only, since none are kept: Involution." in comparison_notes([top1, ratio])
    assert not any("none are kept" in note for note in comparison_notes([ratio]))
