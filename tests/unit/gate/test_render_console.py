from rich.cells import cell_len

from lsbench.gate.render_console import render


def test_the_table_has_a_line_per_row_and_the_notes(judgement, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = render(judgement)
    assert text.startswith("nightly (default): 1 inconclusive, 1 regressed")
    assert text.count("fashion") == 4
    assert "<b>|x" in text
    assert "A note with <b>." in text


def test_a_narrow_terminal_loses_no_word(judgement, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(cell_len, render(judgement).splitlines())) <= 100
