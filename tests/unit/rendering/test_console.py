import io
import re

import pytest
from rich.cells import cell_len

from lsbench.rendering.console import MIN_WIDTH, TURNED, create_console, fitted, table_text, terminal_width


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


def test_a_narrow_terminal_loses_no_word(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    text = table_text("T", ["a"], [["word " * 60]], [])
    assert text.count("word") == 60
    assert max(map(cell_len, text.splitlines())) <= MIN_WIDTH
    assert terminal_width() == MIN_WIDTH


NAMES = (
    "LS conv (baseline)",
    "w/o LKP",
    "Involution",
    "Elsewhere-S (published only)",
    "lsnet_tiny_without_ska",
)
COLUMNS = {
    "top-1 (%)": "75.17 ± 1.90",
    "Δ top-1 (%)": "+1.83 [-8.88, +12.54]",
    "published top-1 (%)": "55.1 (ours +20.07)",
    "throughput (img/s)": "inconclusive",
    "mean corruption error (%)": "60.09 ± 8.74 (2 of 3 seeds)",
    "FLOPs (G)": "0.0022",
    "why": "not confirmed: first measured +6.0 % time, then +0.2 %; the smallest loss that counts is 3 %",
    "形": "大きな核",
}
TABLES = {
    "wide": (["variant", *COLUMNS], [[name, *COLUMNS.values()] for name in NAMES]),
    "of few rows": (["variant", *COLUMNS], [[name, *COLUMNS.values()] for name in NAMES[:2]]),
    "of many columns": (
        ["error (%)", *(f"gaussian noise {number}" for number in range(19))],
        [[name, *(f"{number}.5" for number in range(19))] for name in NAMES],
    ),
    "of sentences": (
        ["comparison", "p (Holm)", "based on"],
        [
            [f"{name} is better by 4.1 points, 95 % interval 3.0 to 5.2", "< 0.0001", "3 seeds"]
            for name in NAMES
        ],
    ),
    "without rows": (["variant", *COLUMNS], []),
}


@pytest.mark.parametrize("keys", [1, 3])
@pytest.mark.parametrize("name", TABLES)
def test_at_every_width_no_word_is_broken_none_is_lost_and_no_line_is_too_wide(monkeypatch, name, keys):
    titles, rows = TABLES[name]
    note = "top-1 (%): fashion|test|res=32|n=200|v1, and 12,800 images of fashion-c-live|c=fog+contrast|v1."
    for width in range(40, 201):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = table_text(f"{name} (default)", titles, rows, [note], keys=keys).splitlines()
        assert max(map(cell_len, lines)) <= width
        shown = (titles if keys == 1 else titles[keys:]) if rows else []
        for text in {*shown, *(cell for row in rows for cell in row), note}:
            for word in re.findall(r"[+-]?\d+(?:[.,]\d+)?|[^\W\d_]+", text):
                assert any(word in line for line in lines), (width, word)
        for row in rows:
            for cell in row[keys:]:
                for number in re.findall(r"[+-]?\d+\.\d+(?: ± \d+\.\d+)?", cell):
                    assert "\n".join(lines).count(number) >= sum(number in " ".join(other) for other in rows)


def test_a_table_that_does_not_fit_repeats_its_first_column_and_counts_its_parts(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = table_text("T", *TABLES["of many columns"], [])
    assert text.startswith("T, part 1 of ")
    parts = text.count("T, part ")
    assert parts > 1
    assert text.count("Involution") == text.count("error (%)") == parts


def test_a_table_of_few_rows_is_turned_round_and_says_so(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = table_text("T", *TABLES["of few rows"], [])
    assert "part" not in text
    assert text.splitlines()[-1] == TURNED
    [line] = [line for line in text.splitlines() if "FLOPs (G)" in line]
    assert line.count("0.0022") == 2


def test_listings_are_broken_at_words_for_a_terminal_alone(monkeypatch):
    line = "name                      " + "a word " * 30
    monkeypatch.setenv("COLUMNS", "60")
    assert fitted(line) == line
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    first, *more = fitted(line.rstrip(), hanging=" " * 26).splitlines()
    assert first.startswith("name                      a word")
    assert all(line.startswith(" " * 26 + "a") or line.startswith(" " * 26 + "word") for line in more)
    assert max(map(len, [first, *more])) <= 60


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
