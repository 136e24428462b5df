import re

from lsbench.core.quantity import quantity
from lsbench.rendering.cells import left_out, notes_of
from lsbench.reports.markdown import render
from lsbench.stats.seeds import Estimate
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.ranking import ranked
from lsbench.tables.summary import Summary, summarize


def cells(line):
    return re.split(r"(?<!\\)\|", line)[1:-1]


def test_every_line_of_the_table_has_the_same_number_of_cells(tiny, make_graph, fill_store):
    tiny["variants"][0]["label"] = "a|b\\|c"
    text = render([summarize(fill_store(make_graph({**tiny, "tags": ["smoke"]})))])
    lines = text.splitlines()  # a smoke test has no sections below its table
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 2
    assert len({len(cells(line)) for line in table}) == 1
    assert [cell.strip() for cell in cells(table[1])][:2] == ["---", "---:"]
    assert lines[0] == "### tiny (default)"
    assert lines[1] == ""


def test_names_stay_text(tiny, make_graph, fill_store):
    tiny["variants"][0]["label"] = "<b>x</b> *i* [a](http://b) `c` ~~d~~"
    text = render([summarize(fill_store(make_graph(tiny)))])
    assert "&lt;b&gt;x&lt;/b&gt; \\*i\\* [a]\\(http://b) \\`c\\` \\~\\~d\\~\\~" in text


def test_the_second_best_is_marked_in_an_element_that_github_keeps():
    top1 = Column("top1", quantity("top1"), "p")
    rows = [Row(str(n), f"v{n}", n == 0, {"top1": Cell(Estimate(n / 10, None, None, 1))}) for n in (1, 2, 3)]
    text = render([Summary("s", "default", "", "0", False, [top1], ranked([top1], rows))])
    assert [line.split(" | ")[1] for line in text.splitlines()[4:7]] == [
        "10.00 |",
        "<ins>20.00</ins> |",
        "**30.00** |",
    ]


def test_every_note_is_an_item(tiny, make_graph, fill_store):
    summary = summarize(fill_store(make_graph({**tiny, "tags": ["smoke"]})))
    items = [line for line in render([summary]).splitlines() if line.startswith("- ")]
    assert len(items) == len([*notes_of(summary), *left_out(summary)]) > len(summary.notes) > 1


def test_line_ends_in_a_name_break_no_line(tiny, make_graph, fill_store):
    folder = fill_store(make_graph(tiny))
    plain = render([summarize(folder)])
    manifest = folder.manifest()
    for job in manifest["jobs"]:
        job["title"] = "one\ntwo\r\nthree\rfour" if job["variant"] == "ls" else job["title"]
    folder.write_manifest(manifest, "")  # suites refuse such a label since, results of before may have it
    text = render([summarize(folder)])
    assert "one two three four (baseline)" in text
    assert len(text.splitlines()) == len(plain.splitlines())
