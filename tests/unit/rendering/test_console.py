import io

import pytest
from rich.cells import cell_len

from lsbench.rendering.console import MIN_WIDTH, create_console, table_text, terminal_width


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


@pytest.mark.parametrize("text", ["[v2]base.json", "[red]x[/red]", "[/]", ":smile:", "[link=x]y", "\\[a]"])
def test_texts_are_printed_as_they_are(text):
    stream = io.StringIO()
    console = create_console(stream, force_terminal=True)
    console.print(text, soft_wrap=True)
    console.print(f"a {text}", style="bold", soft_wrap=True)
    plain, bold = stream.getvalue().splitlines()
    assert plain == text
    assert f"a {text}" in bold
    assert text in table_text(text, [text], [[text]], [text]).splitlines()[-1]


def test_without_a_stream_it_is_stderr(capsys):
    create_console().print("[x]")
    assert capsys.readouterr() == ("", "[x]\n")
