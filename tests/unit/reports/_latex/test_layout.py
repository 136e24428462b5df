import pytest

from lsbench.reports._latex.blocks import ColumnHead, Ranked, TableBlock
from lsbench.reports._latex.layout import is_legible, lay_out
from lsbench.reports._latex.paper import Paper, parse_width

ONE, TWO = parse_width("one-column"), parse_width("two-column")


def block(columns, rows, *, text="12.34 [10.00, 15.00]", name="row", group=""):
    heads = [ColumnHead("variant", "variant")]
    heads += [ColumnHead(f"long title {n}", f"t{n}", group, "ours" if group else "") for n in range(columns)]
    cells = [(Ranked(f"{name} {n}"), *([Ranked(text)] * columns)) for n in range(rows)]
    return TableBlock("", tuple(heads), tuple(cells))


def columns_of(parts):
    return [head.title for laid in parts for head in laid.block.heads[1:]]


def test_a_narrow_block_has_long_titles_and_large_letters():
    (laid,) = lay_out(block(2, 6), ONE)
    assert (laid.style.size, laid.style.has_long_titles, laid.style.is_turned) == (9, True, False)
    assert laid.width <= ONE.widths[0]


def test_the_more_columns_the_denser_and_a_split_comes_last():
    styles = [lay_out(block(columns, 8), ONE) for columns in range(1, 16)]
    sizes = [parts[0].style.size for parts in styles]
    assert sizes[0] == 9
    assert sizes == sorted(sizes, reverse=True) or 8 in sizes
    assert all(len(parts) == 1 for parts in styles[:5])
    assert len(styles[-1]) > 1
    assert any(parts[0].style.is_stacked for parts in styles)


@pytest.mark.parametrize("columns", [1, 4, 9, 20, 50])
@pytest.mark.parametrize("rows", [1, 4, 30])
@pytest.mark.parametrize("width", [150, 219, 345, 500])
def test_every_column_is_there_once_and_no_part_is_too_wide(columns, rows, width):
    table = block(columns, rows, name="a rather long name of a row")
    parts = lay_out(table, Paper((width,)))
    assert all(laid.width <= width for laid in parts)
    if not parts[0].style.is_turned:
        assert columns_of(parts) == [head.title for head in table.heads[1:]]
        assert all(laid.block.rows[0][0] == table.rows[0][0] for laid in parts)
    else:
        assert len(parts[0].block.rows) == columns


def test_a_table_takes_both_columns_of_a_paper_only_if_it_needs_them():
    (narrow,), (wide,) = lay_out(block(2, 8), TWO), lay_out(block(5, 8), TWO)
    assert narrow.width <= 219 < wide.width <= 452


def test_few_rows_are_turned_before_a_table_takes_both_columns():
    (laid,) = lay_out(block(9, 2), TWO)
    assert laid.style.is_turned
    assert laid.width <= 219


def test_what_stands_below_one_title_stays_together():
    grouped = TableBlock(
        "",
        (
            ColumnHead("variant", "variant"),
            *(ColumnHead(f"m{n // 2}", f"m{n // 2}", f"m{n // 2}", "x") for n in range(16)),
        ),
        tuple((Ranked(f"row {n}"), *([Ranked("1234.5 [1000.0, 1500.0]")] * 16)) for n in range(9)),
    )
    parts = lay_out(grouped, ONE)
    assert len(parts) > 1
    for laid in parts:
        assert all(len(group) == 2 for group in laid.block.groups())


def test_a_title_that_two_columns_share_is_dropped_if_they_are_parted():
    pair = block(2, 9, text="ACELLOFONEWORD", group="both")
    parts = lay_out(pair, Paper((150,)))
    assert [[head.group for head in laid.block.heads[1:]] for laid in parts] == [[""], [""]]


def test_long_names_take_several_lines_and_a_word_is_broken_only_if_it_must_be():
    (laid,) = lay_out(block(3, 2, name="a name of very many words which goes on and on and on and on"), ONE)
    assert max(len(row[0]) for row in laid.cells) in (2, 3)
    (laid,) = lay_out(block(1, 9, text="1", name="x" * 80), Paper((150,)))
    assert "".join("".join(laid.cells[0][0]).split()) == f"{'x' * 80}0"
    assert laid.width <= 150


def test_a_block_is_legible_if_it_fits_as_it_is():
    assert is_legible(block(2, 40), ONE)
    assert not is_legible(block(9, 2), ONE)


def test_a_table_without_rows_has_a_layout():
    (laid,) = lay_out(block(3, 0), ONE)
    assert laid.cells == ()
