import pytest
from rich.cells import cell_len

from lsbench.rendering.console import MIN_WIDTH, table_text, terminal_width


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


def test_a_table_has_its_title_cells_and_notes():
    title, *_, rows, _, note = table_text("T", ["a", "b"], [["[x]", "<y>"]], ["n [1]"]).splitlines()
    assert (title.strip(), note) == ("T", "n [1]")
    assert "[x]" in rows
    assert "<y>" in rows


def test_numbers_are_aligned_right():
    text = table_text("T", ["a", "b"], [["1", "2"], ["100", "200"]], [], numbers=["b"])
    [row] = [line for line in text.splitlines() if " 2 " in line]
    assert row.split("│")[1:3] == [" 1   ", "   2 "]


@pytest.mark.parametrize("least", [MIN_WIDTH, 100])
def test_a_narrow_terminal_loses_no_word(monkeypatch, least):
    monkeypatch.setenv("COLUMNS", "20")
    text = table_text("T", ["a"], [["word " * 60]], [], min_width=least)
    assert text.count("word") == 60
    assert max(map(cell_len, text.splitlines())) <= least
    assert terminal_width() == MIN_WIDTH
