import pytest

from lsbench.core.errors import UsageError
from lsbench.reports._latex.paper import parse_width


@pytest.mark.parametrize(
    ("text", "widths"),
    [
        ("one-column", (345,)),
        ("two-column", (219, 452)),
        ("397.48pt", (397.48,)),
        ("5.5in", (397.485,)),
        ("16 cm", (455.24,)),
        ("3.25in, 6.875in", (234.88, 496.86)),
        ("77mm,160mm", (219.08, 455.24)),
    ],
)
def test_widths_by_name_and_as_lengths(text, widths):
    assert parse_width(text).widths == pytest.approx(widths, abs=0.01)


@pytest.mark.parametrize(
    "text", ["", "wide", "3", "3em", "-3in", "6in,3in", "3in,4in,5in", "3in,", "nanpt", "1e3in"]
)
def test_no_width_is_told_with_what_to_write(text):
    with pytest.raises(UsageError, match=r"expected one-column, two-column, a width such as 5.5in"):
        parse_width(text)


def test_a_width_in_which_no_table_fits_is_told():
    with pytest.raises(UsageError, match="--width 20pt: too narrow for a table; the least is 150pt"):
        parse_width("20pt")


def test_a_table_takes_both_columns_only_if_there_are_two():
    assert not parse_width("one-column").is_wide(400)
    assert parse_width("two-column").is_wide(220)
    assert not parse_width("two-column").is_wide(219)
