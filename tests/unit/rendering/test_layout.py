import pytest

from lsbench.rendering.layout import PER_COLUMN, PER_TABLE, fits_turned, parts, turned

TITLES = ["variant", "top-1 (%)", "params (M)", "throughput (img/s)", "latency (ms)"]
ROWS = [[f"row {number}", "75.17 ± 1.90", "0.355", "815 ± 130", "7.22 ± 2.39"] for number in range(6)]


def test_a_table_that_fits_is_one_part_of_its_full_widths():
    [part] = parts(TITLES, ROWS, 160)
    assert part.columns == (0, 1, 2, 3, 4)
    assert part.widths == (7, 12, 10, 18, 12)


@pytest.mark.parametrize("width", range(40, 80))
def test_every_column_stands_in_one_part_beside_the_first(width):
    found = parts(TITLES, ROWS, width)
    if found is None:
        return
    assert all(part.columns[0] == 0 for part in found)
    assert [place for part in found for place in part.columns[1:]] == [1, 2, 3, 4]
    for part in found:
        assert sum(part.widths) + PER_COLUMN * len(part.widths) + PER_TABLE <= width


def test_several_keys_stand_in_every_part():
    titles = ["verdict", "variant", "metric", "baseline", "now", "change", "interval", "why"]
    rows = [["regressed", "ls", "top-1 (%)", "70.00", "69.00", "-1.00", "[-1.00, -0.91]", "a loss " * 9]]
    found = parts(titles, rows, 80, keys=3)
    assert len(found) > 1
    assert all(part.columns[:3] == (0, 1, 2) for part in found)
    assert len(found) == 2


def test_columns_before_the_keys_stand_in_the_first_part_alone():
    titles = ["verdict", "variant", "metric", "baseline", "now", "change", "interval, p", "why"]
    rows = [["regressed", "ls", "top-1 (%)", "70.00", "69.00", "-1.00", "[-1.00, -0.91]", "a loss " * 9]]
    first, *others = parts(titles, rows, 70, keys=2, lead=1)
    assert first.columns[:3] == (0, 1, 2)
    assert others
    assert all(part.columns[:2] == (1, 2) for part in others)
    own = [*first.columns[3:], *(place for part in others for place in part.columns[2:])]
    assert own == [3, 4, 5, 6, 7]


def test_a_table_of_single_columns_or_named_by_sentences_is_better_a_list():
    assert parts(TITLES, ROWS, 32) is None
    sentence = "this row is better than that row by 4.1 points, as the interval says"
    assert parts(["comparison", *TITLES], [[sentence, *row] for row in ROWS], 60) is None


def test_few_rows_are_turned_round():
    assert fits_turned(TITLES, ROWS[:2], 60)
    assert not fits_turned(TITLES, ROWS, 60)
    assert not fits_turned(TITLES, [], 60)
    titles, rows = turned(TITLES, ROWS[:2])
    assert titles == ["variant", "row 0", "row 1"]
    assert rows[1] == ["params (M)", "0.355", "0.355"]


def test_a_table_without_rows_or_columns():
    assert len(parts(TITLES, [], 120)) == 1
    assert parts([], [], 80)[0].columns == ()
