import re
from dataclasses import replace

import pytest

from lsbench.core.errors import UsageError
from lsbench.reports.latex import NO_GAPS, TURNED, caption, render
from lsbench.tables.paper import paper_summary
from lsbench.tables.summary import summarize
from lsbench.tables.view import View, apply_view

PUBLISHED = {"top1": 0.7, "params": 4e5, "macs": 1e7}


@pytest.fixture
def made(tiny, make_graph, fill_store, records_of):
    """A summary with seeds, published numbers beside ours, and a row that only the source has."""
    tiny["source"] = "A Paper, 2025"
    tiny["variants"][0]["published"] = PUBLISHED
    tiny["variants"].append({"name": "gone", "mixer": "involution", "label": "A & B"})
    tiny["published_only"] = [{"name": "Elsewhere", "reason": "no code", "published": {"top1": 0.8}}]

    def records(job):
        if job.variant.name == "gone":
            return None
        return records_of(job, top1=0.75 if job.variant.name == "ls" else 0.5)

    return summarize(fill_store(make_graph(tiny), records))


def without_comments(text):
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("%"))


def test_a_suite_is_one_booktabs_table_with_published_numbers_beside_ours(made):
    text = render([made], width="8in")
    assert text.startswith("% In the preamble: \\usepackage{booktabs}")
    assert text.count("\\begin{table}") == text.count("\\caption{") == 1
    assert "\\multicolumn{3}{c}{top-1 (\\%)}" in text
    assert re.search(r"ls \(baseline\) & \\textbf\{75.00\} \$\\pm\$ 0.00 & -- & 70.0", text)
    assert "A \\& B & waiting" in text
    assert "$-$25.00" in text
    assert "Bold: best value" in text


def test_the_caption_counts_our_seeds_and_names_the_source_of_published_numbers(made):
    assert caption(made) == [
        "tiny (default)",
        "Ours: means over 2 seeds with 95 % intervals",
        "Published: A Paper, 2025",
    ]
    ours = apply_view(made, View(columns=("top1",)))
    assert caption(ours) == ["tiny (default)", "Means over 2 seeds with 95 % intervals"]
    assert caption(apply_view(made, View(columns=("top1_published",))))[1:] == ["Published: A Paper, 2025"]
    assert caption(apply_view(made, View(is_pivoted=True))) == caption(made)
    assert caption(replace(ours, columns=ours.columns[:0])) == ["tiny (default)"]


def test_a_table_of_the_paper_is_named_by_its_subject_not_by_its_number_there():
    text = render([paper_summary(7, None)])
    title = re.search(r"\\caption\{(.*)\}", text)[1]
    assert not title.startswith("Table")
    assert "of the paper" not in title
    source = "Published: LSNet: See Large, Focus Small, CVPR 2025, arXiv:2503.23135, Table 7."
    assert title.replace("\\allowbreak{}", "").endswith(source)
    assert "seeds" not in title


def test_tabulars_alone_have_notes_in_comments_only(made):
    text = render([made], is_bare=True)
    body = without_comments(text)
    assert "\\begin{tabular}" in body
    assert re.findall(r"\\begin\{table|\\caption|minipage|Bold", body) == []
    assert "% Bold: best value of a column" in text
    assert "% tiny (default). Ours: means over 2 seeds" in text
    assert "Bold" not in render([apply_view(made, View(has_notes=False))], is_bare=True)


def test_notes_are_optional(made):
    text = render([apply_view(made, View(has_notes=False))])
    assert "minipage" not in text
    assert "\\caption{" in text


def test_what_has_no_room_is_named(made):
    wide, narrow = render([made], width="30in"), render([made], width="150pt")
    assert "(ours +5.00)" in wide
    assert NO_GAPS not in wide
    assert "(ours" not in narrow
    assert NO_GAPS in narrow
    assert "70.0" in narrow


def test_a_table_that_is_turned_says_what_its_marks_mean(made):
    turned, plain = render([made], width="one-column"), render([made], width="8in")
    assert "\ntop-1 (\\%) &" in turned
    assert TURNED in turned
    assert TURNED not in plain


@pytest.mark.parametrize("width", ["one-column", "two-column", "2.5in", "3.25in,6.875in"])
def test_every_number_is_there_at_every_width(made, width):
    shown = apply_view(made, View(all_columns=True))
    numbers = set(re.findall(r"\d+\.\d+", without_comments(render([shown], width="50in"))))
    text = without_comments(render([shown], width=width))
    gaps = {number for number in numbers if number not in text}
    assert gaps <= set(re.findall(r"ours [+$-]*(\d+\.\d+)", render([shown], width="50in")))


def test_no_letter_remains_that_plain_latex_does_not_know(tiny, make_graph, fill_store, tested):
    tiny["variants"][0]["label"] = "▁▆ Ω 中 emoji 🙂 [x] * é"
    text = render([summarize(fill_store(tested(make_graph(tiny))))])
    assert without_comments(text).isascii()
    assert "$\\Omega$ [U+4E2D] emoji [U+1F642] [x] * \\'{e}" in " ".join(without_comments(text).split())
    assert "% LaTeX's usual fonts lack ▁ ▆ 中 🙂: code points stand instead." in text
    assert text.count("\\begin{table") == 1


def test_no_summary_is_no_text_and_no_width_is_an_error(made):
    assert render([]) == ""
    with pytest.raises(UsageError, match="--width wide: expected one-column"):
        render([made], width="wide")
