import re

import pytest
from rich.cells import cell_len

from lsbench.rendering.wrapping import longest_line, longest_unit, short_label, wrap

PROTOCOL = (
    "fashion|fashion-c-live|c=gaussian_noise+fog+contrast|s=1+3+5|res=32|original|jpeg=85|ref=knn5|n=40|v1"
)
TEXTS = [
    "LS conv is better than Involution by 4.1 points, 95 % interval 3.0 to 5.2",
    "75.17 ± 1.90 (2 of 3 seeds), -0.17 [-9.16, +8.83] and 55.1 (ours +20.07)",
    f"Mean top-1 error over the severities and 3 seeds: {PROTOCOL}.",
    "  on disk: 12.3 GiB (10 GiB checkpoints, 2.3 GiB pictures)",
    "ablation_without_large_kernels_and_without_small_ones/train/seed0",
    "大きな核 小さな核 " * 8,
]


@pytest.mark.parametrize("width", [30, 40, 57, 80, 200])
@pytest.mark.parametrize("text", TEXTS)
def test_lines_fit_and_no_word_or_number_is_broken(text, width):
    lines = wrap(text, width, hanging="    ")
    assert max(map(cell_len, lines)) <= width
    for word in re.findall(r"[+-]?\d+(?:\.\d+)?|[^\W\d_]+", text):
        assert any(word in line for line in lines), word
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)
    assert all(line.startswith("    ") for line in lines[1:])


def test_a_value_stays_with_its_spread_and_a_remark_in_one_piece():
    assert wrap("75.17 ± 1.90 (2 of 3 seeds)", 16) == ["75.17 ± 1.90", "(2 of 3 seeds)"]
    assert wrap("+2.33 [-2.45, +7.12]", 16) == ["+2.33", "[-2.45, +7.12]"]


def test_a_protocol_is_broken_between_its_facets_and_its_lists_stay_whole():
    lines = wrap(PROTOCOL, 60)
    assert all(line.endswith("|") for line in lines[:-1])
    assert "s=1+3+5" in "".join(lines[1:])


def test_a_word_without_a_seam_is_broken_only_if_it_is_wider_than_a_line():
    assert wrap("x" * 50, 60) == ["x" * 50]
    assert wrap("y " + "x" * 50, 30) == ["y", "x" * 30, "x" * 20]


def test_what_fits_is_left_as_it_is():
    for text in ("  a:   b", "", "two\nlines", "name        title"):
        assert "\n".join(wrap(text, 80)) == text


@pytest.mark.parametrize(
    ("most", "shown"),
    [
        (40, "ablation_w_o_ska/train/seed10"),
        (20, "ablati…/train/seed10"),
        (10, "…in/seed10"),
    ],
)
def test_a_short_label_keeps_kind_and_seed(most, shown):
    assert short_label("ablation_w_o_ska/train/seed10", most) == shown
    assert cell_len(shown) <= most


def test_the_room_that_a_text_needs():
    assert (longest_unit("params (M)"), longest_unit("")) == (6, 0)
    assert longest_unit("x" * 40) == 40
    assert longest_unit(PROTOCOL) < 24
    assert longest_line("ab\nabc") == 3
