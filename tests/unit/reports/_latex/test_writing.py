import re

import pytest

from lsbench.reports._latex.blocks import ColumnHead, Ranked, TableBlock
from lsbench.reports._latex.layout import lay_out
from lsbench.reports._latex.paper import parse_width
from lsbench.reports._latex.writing import PAGE, floats, tabulars

ONE, TWO = parse_width("one-column"), parse_width("two-column")


def laid(rows, *heads, heading="", paper=ONE):
    block = TableBlock(
        heading,
        (ColumnHead("variant", "variant"), *heads),
        tuple(tuple(one if isinstance(one, Ranked) else Ranked(one) for one in row) for row in rows),
    )
    return lay_out(block, paper)


TOP1 = ColumnHead("top-1 (%)", "top-1 (%)")


def test_a_tabular_has_rules_marks_holes_and_minus_signs():
    parts = laid(
        [("A & B", Ranked("75.00 ± 0.10", 1)), ("C", Ranked("-1.00", 2)), ("D", "-"), ("E", "failed")], TOP1
    )
    assert tabulars(parts) == (
        "{\\fontsize{9}{11}\\selectfont\\setlength{\\tabcolsep}{4pt}%\n"
        "\\begin{tabular}{@{}lr@{}}\n"
        "\\toprule\n"
        "variant & top-1 (\\%) \\\\\n"
        "\\midrule\n"
        "A \\& B & \\textbf{75.00} $\\pm$ 0.10 \\\\\n"
        "C & \\underline{$-$1.00} \\\\\n"
        "D & -- \\\\\n"
        "E & failed \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}}\n"
    )


def test_ours_and_published_stand_below_their_metric():
    heads = [
        ColumnHead("o", "o", "top-1 (%)", "ours"),
        ColumnHead("p", "p", "top-1 (%)", "published"),
        ColumnHead("x", "x"),
    ]
    text = tabulars(laid([("A", "1", "2", "3")], *heads))
    assert " & \\multicolumn{2}{c}{top-1 (\\%)} &  \\\\\n\\cmidrule(lr){2-3}\n" in text
    assert "\nvariant & ours & published & x \\\\\n" in text


@pytest.mark.parametrize("start", ["[0, 1]", "*best*"])
def test_no_line_starts_with_what_latex_reads_as_an_option(start):
    text = tabulars(laid([(start, f"1 {start}"), ("second", start)], ColumnHead(start, start)))
    assert re.findall(r"(?:\\\\|rule|&)\s*[\[*]", text) == []
    assert f"{{{start[0]}}}{start[1:]}" in text


def test_cells_and_titles_of_several_lines_are_aligned_and_rows_then_have_space_between():
    rows = [(f"row {n}", *["12.34 [10.00, 15.00]"] * 6) for n in range(9)]
    (part,) = laid(rows, *[ColumnHead("t", "a title of words")] * 6)
    text = tabulars([part])
    assert "\\begin{tabular}[t]{@{}r@{}}12.34 \\\\ {[}10.00, 15.00]\\end{tabular}" in text
    assert text.count("\\addlinespace[2pt]") == 8
    assert "\\begin{tabular}[b]{@{}r@{}}a title \\\\ of words\\end{tabular}" in text


def test_blocks_share_a_float_with_one_caption_and_the_notes_below():
    parts = [*laid([("A", "1")], TOP1), *laid([("A", "2")], TOP1, heading="on corrupted images")]
    text = floats(parts, ["suite_a", "Means"], ["50 % of it"], ONE)
    assert text.count("\\begin{table}[htbp]") == text.count("\\caption{") == 1
    assert "\\caption{suite\\_a. Means.}" in text
    assert "\\emph{on corrupted images}\\par\\smallskip\n{\\fontsize" in text
    assert (
        text.index("\\bottomrule") < text.index("\\begin{minipage}{\\linewidth}") < text.index("50~\\% of it")
    )
    assert "minipage" not in floats(parts, ["suite"], [], ONE)
    assert "% on corrupted images\n{" in tabulars(parts)


def test_a_block_longer_than_a_page_is_continued_and_repeats_its_titles():
    parts = laid([(f"v{n}", "1") for n in range(100)], TOP1)
    text = floats(parts, ["suite", "Means"], ["a note"], ONE)
    pages = text.split("\\begin{table}")[1:]
    assert len(pages) > 2
    assert "v0 &" in pages[0]
    assert re.findall(r"v(\d+) &", text) == [str(n) for n in range(100)]
    assert text.count("variant & top-1") == len(pages)
    assert [re.search(r"\\caption\{(.*)\}", page)[1] for page in pages[:2]] == [
        "suite. Means.",
        "suite (continued).",
    ]
    assert "a note" in pages[-1]
    assert "a note" not in pages[0]


def test_notes_that_do_not_fit_below_a_table_have_a_place_of_their_own():
    rows = int(PAGE / 11) - 5
    text = floats(
        laid([(f"v{n}", "1") for n in range(rows)], TOP1), ["suite", "Means"], ["a long note " * 9] * 9, ONE
    )
    first, notes = text.split("\\begin{table}")[1:]
    assert "minipage" not in first
    assert "\\emph{suite: notes.}\\par" in notes
    assert "\\caption" not in notes


def test_a_table_takes_both_columns_only_if_it_is_that_wide():
    wide = laid([(f"row {n}", *["12.34 [10.00, 15.00]"] * 5) for n in range(9)], *[TOP1] * 5, paper=TWO)
    assert "\\begin{table*}[tp]" in floats(wide, ["suite"], [], TWO)
    assert "table*" not in floats(laid([("A", "1")], TOP1, paper=TWO), ["suite"], [], TWO)


def test_notes_without_a_table_have_a_float_and_nothing_has_none():
    text = floats([], ["Only analyses."], ["Not comparable."], ONE)
    assert text.count("\\begin{table}") == 1
    assert "Not comparable." in text
    assert floats([], ["Only analyses."], [], TWO) == ""
