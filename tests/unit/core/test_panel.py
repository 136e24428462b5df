import pytest

from lsbench.core.panel import ModelPanel, has_random_weights


@pytest.mark.parametrize(
    ("weights", "arguments", "is_random"),
    [
        ("fresh", {}, True),
        ("fresh", {"pretrained": False, "checkpoint": None}, True),
        ("fresh", {"pretrained": True}, False),
        ("pretrained", {"checkpoint": "a.pth"}, False),
        ("last", {}, False),
        ("ema", {}, False),
        (None, {}, False),
    ],
)
def test_only_fresh_weights_that_nobody_gave_are_random(weights, arguments, is_random):
    assert has_random_weights(weights, arguments) == is_random


def test_a_label_says_that_weights_are_random():
    assert (ModelPanel("A", {}).label, ModelPanel("A", {}, is_random=True).label) == (
        "A",
        "A (random weights)",
    )
