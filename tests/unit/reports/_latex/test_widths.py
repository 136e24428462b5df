import pytest

from lsbench.reports._latex.widths import block_width, fitting, forced, narrowest, shapes, width_of

#: Widths that TeX measured at 8 points: text, in Computer Modern, in Times.
MEASURED = [
    ("LS conv (baseline)", 68.63, 60.11),
    ("75.17", 19.36, 18.0),
    ("the large kernel looks at 7 x 7 pixels", 135.17, 115.64),
    ("[74.41, 107.49]", 52.89, 49.33),
]


@pytest.mark.parametrize(("text", "modern", "times"), MEASURED)
def test_a_text_is_at_least_as_wide_as_in_print_and_hardly_wider(text, modern, times):
    assert max(modern, times) <= width_of(text, 8) + 0.1
    assert width_of(text, 8) <= 1.08 * max(modern, times)


def test_bold_letters_and_larger_ones_are_wider_and_signs_have_a_width():
    assert width_of("77.50", 8) < width_of("77.50", 9) < width_of("77.50", 9, is_bold=True)
    assert width_of("e\u0301", 8) == width_of("\u00e9", 8) == width_of("e", 8)
    assert width_of("\u4e2d", 8) == width_of("[U+4E2D]", 8)
    assert width_of("\u00b1", 8) > 6


def test_the_shapes_of_a_text_break_no_word():
    assert shapes("815 [581, 841]") == (("815 [581, 841]",), ("815", "[581, 841]"))
    assert narrowest("75.17 ± 1.90", most=3) == ("75.17 ± 1.90",)
    assert narrowest("one two three four", most=2) == ("one two", "three four")
    assert narrowest("", most=3) == ("",)


def test_a_text_fits_in_as_few_lines_as_possible():
    text = "large + small static"
    width = block_width(("large +", "small static"), 8)
    assert fitting(text, 8, 500) == (text,)
    assert fitting(text, 8, width) == ("large +", "small static")
    assert fitting(text, 8, width, most=1) is None
    assert fitting(text, 8, 5) is None


def test_a_forced_text_is_broken_within_words():
    lines = forced("supercalifragilistic", 8, 30)
    assert "".join(lines) == "supercalifragilistic"
    assert block_width(lines, 8) <= 30
