from lsbench.rendering.console import MIN_WIDTH
from lsbench.reports.console import render
from lsbench.tables.summary import summarize


def test_the_table_fits_the_terminal_and_loses_no_letter(tiny, make_graph, fill_store, monkeypatch):
    summary = summarize(fill_store(make_graph(tiny)))
    for columns, width in (("20", MIN_WIDTH), ("40", 40), ("140", 140)):
        monkeypatch.setenv("COLUMNS", columns)
        lines = render([summary]).splitlines()
        assert max(map(len, lines)) <= width
        assert "\x1b" not in "".join(lines)
        assert "…" not in "".join(lines)


def test_marks_of_rich_in_a_name_are_shown_as_they_are(tiny, make_graph, fill_store):
    tiny["variants"][0]["label"] = "[bold red]x[/]"
    assert "[bold red]x[/]" in render([summarize(fill_store(make_graph(tiny)))])


def test_cells_are_complete_at_the_width_of_a_log(tiny, make_graph, fill_store, records_of, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    folder = fill_store(make_graph(tiny), lambda job: None if job.label == "id/profile" else records_of(job))
    text = render([summarize(folder)])
    for word in (
        "ls (baseline)",
        "50.00 ± 0.00",
        "+0.00 [+0.00, +0.00]",
        "2.000",
        "0.3000",
        "5.00",
        "waiting",
    ):
        assert word in text
