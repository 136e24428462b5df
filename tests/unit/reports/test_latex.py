import re

import pytest

from lsbench.reports.latex import MOST_ROWS, TEXT_WIDTH, Ranked, _parts, _places, escape, render
from lsbench.tables.summary import summarize


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50% & $x_1$ #2 {a}", "50\\% \\& \\$x\\_1\\$ \\#2 \\{a\\}"),
        ("\\input{x}", "\\textbackslash{}input\\{x\\}"),
        (
            "a~b^c`d|e<f>",
            "a\\textasciitilde{}b\\textasciicircum{}c\\textasciigrave{}d\\textbar{}e\\textless{}f\\textgreater{}",
        ),
        ("1 ± 2 Δ", "1 $\\pm$ 2 $\\Delta$"),
        ("one\ntwo\r\nthree", "one two three"),
        ("--x---y", "-{}-x-{}--y"),
        ("é 中 \x00", "é {[}U+4E2D{]} "),
    ],
)
def test_text_is_printed_as_it_is(text, escaped):
    assert escape(text) == escaped


def test_a_summary_is_a_booktabs_table_with_marks_and_holes(tiny, make_graph, fill_store, records_of):
    def records(job):
        return records_of(job, top1=0.75 if job.variant.name == "ls" else 0.5)

    tiny["variants"].append({"name": "gone", "mixer": "involution", "label": "A & B"})
    graph = make_graph(tiny)
    text = render(
        [summarize(fill_store(graph, lambda job: None if job.variant.name == "gone" else records(job)))]
    )
    assert text.startswith("% In the preamble: \\usepackage{booktabs}")
    assert "\\textbf{75.00 $\\pm$ 0.00}" in text
    assert "\\underline{50.00 $\\pm$ 0.00}" in text
    assert "& $-$25.00 &" in text
    assert "A \\& B & waiting" in text
    for rule in ("\\toprule", "\\midrule", "\\bottomrule", "\\end{table}"):
        assert text.count(rule) == text.count("\\begin{table}") >= 1
    assert "Bold: best value" in text


def test_wide_tables_are_split_and_every_part_names_its_rows():
    titles = ["variant", *(f"a rather long title {n}" for n in range(12))]
    rows = [[Ranked(f"v{i}", None), *(Ranked("123.45 ± 6.78", None) for _ in range(12))] for i in range(3)]
    places = list(_places(titles, rows))
    assert sorted(place for part in places for place in part if place) == list(range(1, 13))
    assert all(part[0] == 0 and len(part) > 1 for part in places)
    assert all(4 + 15 * (len(part) - 1) <= TEXT_WIDTH for part in places)


def test_long_tables_continue():
    rows = [[Ranked(f"v{i}", None), Ranked("1", None)] for i in range(MOST_ROWS + 1)]
    parts = list(_parts("Title", ["variant", "x"], rows))
    assert [len(part[2]) for part in parts] == [MOST_ROWS, 1]
    assert [part[0] for part in parts] == ["Title", "Title (continued)"]


def test_no_letter_remains_that_plain_latex_does_not_know(tiny, make_graph, fill_store, tested):
    tiny["variants"][0]["label"] = "▁▆ Ω 中 emoji 🙂 [x] *"
    text = render([summarize(fill_store(tested(make_graph(tiny))))])
    assert re.findall(r"[^\x00-\x7f\u00c0-\u00ff]", text) == []
    assert "(continued)" in text


def test_no_summary_is_no_text():
    assert render([]) == ""
