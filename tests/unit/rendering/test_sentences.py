import math

import pytest

from lsbench.rendering.sentences import base, comparison_notes, sentence
from lsbench.stats.paired import Difference
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
