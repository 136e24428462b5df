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


def test_no_text_becomes_a_link_or_a_line_of_its_own():
    assert escape("[a](b)\nc") == "[a]\\(b) c"
