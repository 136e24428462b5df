import pytest

from lsbench.rendering.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], ""),
        ([0.5], "▄"),
        ([1, 0], "█▁"),
        ([0.0, 0.0, 0.0], "▄▄▄"),
        ([None], " "),
        ([None, 1.0], " ▄"),
        ([0.1, None, 0.3], "▁ █"),
        ([0] * 20 + [1] * 20, "▁" * 10 + "█" * 10),
    ],
)
def test_a_sparkline_has_the_shape_of_its_values(values, text):
    assert sparkline(values) == text
