"""What a reader takes from the HTML report: the table as a file and as a copy, and its contents."""

import csv
import io

import pytest

from lsbench.reports import csv as csv_report
from lsbench.reports.html import render

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.desktop
REFUSED = "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }"
KEPT = "() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; }"


@pytest.fixture
def seen(summary, tmp_path, look):
    path = tmp_path / "report.html"
    path.write_text(render([summary]), encoding="utf-8")
    found = look(path.as_uri())
    found.page.wait_for_selector(".save button")
    return found


def lines_of(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def choose_all(page):
    """Show the columns of all groups, if there are several."""
    every = page.get_by_role("button", name="all", exact=True)
    if every.count():
        every.click()


def downloaded(page):
    with page.expect_download() as started:
        page.get_by_role("button", name="Download CSV").click()
    file = started.value
    return file.suggested_filename, file.path().read_text(encoding="utf-8")


def test_the_file_is_the_csv_report(seen, summary):
    choose_all(seen.page)
    name, text = downloaded(seen.page)
    assert name == "tiny-default.csv"
    assert text == csv_report.render([summary])
    assert seen.is_quiet


def test_the_file_follows_filter_order_and_columns(seen, summary):
    page = seen.page
    page.get_by_role("searchbox").fill("w/o")
    page.locator("section.table thead button", has_text="latency").click()
    _, text = downloaded(page)
    titles, *rows = lines_of(text)
    all_titles, *all_rows = lines_of(csv_report.render([summary]))
    by_name = {row[2]: dict(zip(all_titles, row, strict=True)) for row in all_rows}
    assert [row[2] for row in rows] == ["without_ska", "without_lkp"]
    for row in rows:
        assert dict(zip(titles, row, strict=True)) == {name: by_name[row[2]][name] for name in titles}
    shown = page.locator("section.table thead th:not([hidden])").count() - 1
    assert shown < len(summary.columns)
    assert len(titles) < len(all_titles)


def test_copies_are_cells_for_a_spreadsheet_or_markdown(seen, summary):
    page = seen.page
    page.evaluate(KEPT)
    choose_all(page)
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator(".save [role=status]")).to_have_text("5 rows copied")
    lines = [line.split("\t") for line in page.evaluate("window.copied").splitlines()]
    assert lines == lines_of(csv_report.render([summary]))
    page.get_by_role("button", name="Copy Markdown").click()
    page.wait_for_function("window.copied.startsWith('| variant')")
    table = page.evaluate("window.copied").splitlines()
    assert len(table) == 7
    assert "| LS conv (baseline) |" in table[2]
    assert table[6].startswith(r"| &lt;/script&gt;&lt;script&gt;alert(1)")
    assert sum(line.count("**") for line in table) > 0


def test_where_the_clipboard_is_refused_the_old_way_copies(seen):
    page = seen.page
    page.evaluate(REFUSED)
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator(".save [role=status]")).to_have_text("5 rows copied")
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate("document.activeElement.textContent") == "Copy"


def test_where_nothing_can_copy_the_text_is_shown_selected(seen, axe):
    page = seen.page
    page.evaluate(REFUSED)
    page.evaluate("() => { document.execCommand = () => false; }")
    page.get_by_role("button", name="Copy Markdown").click()
    area = page.locator("dialog[open] textarea")
    assert area.input_value().startswith("| variant |")
    assert page.evaluate("getSelection().toString()").startswith("| variant |")
    assert axe(page) == []


def test_the_contents_lead_to_sections_by_keyboard(seen):
    page = seen.page
    page.wait_for_selector(".contents li:not([hidden]) >> text=Accuracy against cost")
    page.get_by_role("navigation", name="Contents").get_by_role("link", name="Training").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#s0-training"
    expect(page.get_by_role("heading", name="Training")).to_be_in_viewport()


def test_marks_are_explained_while_a_shown_cell_has_them(seen):
    page = seen.page
    best = page.locator("[data-mark=best]")
    expect(best).to_be_visible()
    page.get_by_role("searchbox").fill("no such row")
    expect(best).to_be_hidden()


def test_a_chart_without_rows_says_so(seen, draw_all):
    page = seen.page
    draw_all(page)
    page.get_by_role("searchbox").fill("no such row")
    for kind in ("pareto", "compare", "curves", "corruptions", "reliability"):
        figure = page.locator(f"[data-chart={kind}]")
        expect(figure.locator("> figcaption")).to_have_text(
            "No row that is shown has numbers for this chart."
        )
        assert figure.locator(".main-svg").count() == 0
    page.get_by_role("searchbox").fill("")
    page.wait_for_selector("[data-chart=pareto] .main-svg")
    assert seen.is_quiet
