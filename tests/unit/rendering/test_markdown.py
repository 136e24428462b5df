import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from lsbench.rendering.markdown import escape, grid_lines, table_lines


def test_a_table_keeps_names_as_names():
    lines = table_lines("a <b>", ["x|y", "z"], [["1*", "2_"]], ["see `it`"])
    assert lines == [
        "#### a &lt;b&gt;",
        "",
        "| x\\|y | z |",
        "| --- | --- |",
        "| 1\\* | 2\\_ |",
        "",
        "- see \\`it\\`",
    ]


def test_cells_that_are_markdown_already_stay_so():
    assert grid_lines(["a"], [["**b**"]])[-1] == "| **b** |"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("cost $5 or $x$", "cost <span>$</span>5 or <span>$</span>x<span>$</span>"),
        ("@name and a@b.org", "<span>@</span>name and a<span>@</span>b.org"),
        ("@ 5 GHz", "@ 5 GHz"),
        (":smile: :+1:", "<span>:</span>smile: <span>:</span>+1:"),
        ("note: a:b", "note: a:b"),
        ("fixes #12, C#", "fixes <span>#</span>12, C#"),
        ("&copy; &#36; & R&D", "&amp;copy; &amp;<span>#</span>36; & R&D"),
        ("p|res=224|n=5", "p\\|res=224\\|n=5"),
    ],
)
def test_what_github_reads_in_a_text_stays_text(text, escaped):
    assert escape(text) == escaped


@pytest.mark.parametrize(
    "text", ["$x$", "@name", ":smile:", "a:smile::tada:", "#1", "&amp;", "<i>", "*a*", "a_b_"]
)
def test_a_reader_sees_the_name_as_it_is(text):
    shown = TextOf()
    shown.feed(MarkdownIt("gfm-like", {"linkify": False}).render(escape(text)))
    assert "".join(shown.texts).strip() == text
    # What GitHub replaces, it looks for in single pieces of text.
    assert not any(re.search(r"\$.+\$|@\w|:[\w+-]+:|#\d", piece) for piece in shown.texts)


class TextOf(HTMLParser):
    """The pieces of text of a page."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def handle_data(self, data):
        self.texts.append(data)


def test_no_text_becomes_a_link_or_a_line_of_its_own():
    assert escape("[a](b)\nc") == "[a]\\(b) c"
