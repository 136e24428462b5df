"""The HTML report on paper: what a browser prints of it, as text and as boxes."""

import re
import shutil
import subprocess

import pytest

from lsbench.reports.html import HEADINGS, render

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.desktop
PRINT, PRINTED = (f"dispatchEvent(new Event('{name}'))" for name in ("beforeprint", "afterprint"))
CHARTS = {"pareto", "compare", "corruptions", "curves", "nights", "reliability"}
#: The text colours of all charts, and the boxes that reach beyond the paper's right edge.
INKS = "[...document.querySelectorAll('.plot .xtick text')].map(one => getComputedStyle(one).fill)"
TOO_WIDE = """[...document.querySelectorAll('.paper table, .plot .main-svg')]
    .filter(one => one.getBoundingClientRect().width > 701).map(one => one.outerHTML.slice(0, 200))"""
OPEN = "[...document.querySelectorAll('main details')].map(one => one.open)"


@pytest.fixture
def report(summary, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render([summary]), encoding="utf-8")
    return path


def printed(page, path, **options):
    """Return the text of a page's PDF, with single blanks, and the number of its pages."""
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext on this machine")
    page.pdf(path=path, **options)
    text = subprocess.run(["pdftotext", "-raw", path, "-"], capture_output=True, text=True, check=True).stdout
    return re.sub(r"\s+", " ", text), text.count("\f")


@pytest.mark.parametrize("options", [{}, {"format": "A4", "landscape": True}], ids=["letter", "wide"])
def test_the_paper_has_every_section_and_column(report, summary, look, tmp_path, options):
    seen = look(report.as_uri())
    text, pages = printed(seen.page, tmp_path / "report.pdf", **options)
    for heading in HEADINGS.values():
        if heading != HEADINGS["analyses"]:
            assert heading in text
    for column in summary.columns:
        assert re.sub(r"\s", "", column.title) in re.sub(r"\s", "", text), "columns of all groups"
    assert text.count("Numbers of this chart") == len(CHARTS)
    assert text.count("Most likely:") > 4 * 12, "folded images too"
    assert 8 <= pages <= 40
    assert seen.is_quiet, (seen.complaints, seen.requests)


def test_every_chart_is_drawn_dark_on_light_and_fits(report, look):
    seen = look(report.as_uri(), is_dark=True)
    page = seen.page
    page.evaluate(PRINT)
    drawn = page.eval_on_selector_all(
        "[data-chart]", "all => all.filter(o => o.querySelector('.main-svg')).map(o => o.dataset.chart)"
    )
    assert set(drawn) == CHARTS
    assert all(sum(map(int, re.findall(r"\d+", ink)[:3])) < 300 for ink in page.evaluate(INKS))
    assert page.evaluate(TOO_WIDE) == []
    assert all(page.evaluate(OPEN))
    assert page.locator(".paper table").count() >= len(CHARTS)
    assert seen.is_quiet


def test_afterwards_the_page_is_as_before(report, look, draw_all):
    page = look(report.as_uri(), is_dark=True).page
    draw_all(page)
    before, ink = page.evaluate(OPEN), page.evaluate(INKS)
    page.evaluate(PRINT)
    assert page.evaluate(INKS) != ink
    page.evaluate(PRINTED)
    page.wait_for_function(f"{INKS}.join() === {ink!r}.join()")
    assert page.evaluate(OPEN) == before
    assert page.locator(".paper").count() == 0
    widths = "[...document.querySelectorAll('.plot')].map(o => o.querySelector('.main-svg').clientWidth)"
    assert min(page.evaluate(widths)) > 900


def test_the_paper_says_which_rows_it_shows(report, look, tmp_path):
    page = look(report.as_uri()).page
    page.get_by_role("searchbox").fill("w/o")
    page.locator("section.table thead button", has_text="latency").click()
    expect(page.locator("section.table output")).to_have_text("2 of 5 rows")
    text, _ = printed(page, tmp_path / "report.pdf")
    assert "2 rows with “w/o”, of 5, sorted by latency (ms) upwards." in text


def test_a_table_of_many_columns_is_divided_and_none_is_lost(report, look):
    page = look(report.as_uri(), is_wide=False).page
    page.evaluate(
        """() => {
            const titles = Array.from({ length: 90 }, (_, n) => `epoch ${n}`);
            document.querySelector("section.table .scroll").after(
                make("div", { class: "scroll many" }, textTable(["row", ...titles], [["a row", ...titles]])));
        }"""
    )
    page.evaluate(PRINT)
    parts = page.locator(".many + .paper table")
    assert parts.count() > 3
    assert page.evaluate(TOO_WIDE) == []
    titles = page.locator(".many + .paper thead th:not(:first-child)").all_text_contents()
    assert titles == [f"epoch {n}" for n in range(90)]
    assert set(page.locator(".many + .paper tbody th").all_text_contents()) == {"a row"}
    assert parts.first.locator("caption").text_content() == f"part 1 of {parts.count()}"


def test_without_scripts_the_tables_are_on_paper(report, summary, browser, tmp_path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    text, _ = printed(page, tmp_path / "report.pdf")
    context.close()
    assert summary.columns[-1].title.split()[0] in text
    assert "Robustness" in text
    assert text.count("Most likely:") > 4 * 12


def test_decompression_without_waiting_gives_the_same_text(report, look):
    page = look(report.as_uri()).page
    page.set_default_timeout(60_000)
    assert page.evaluate(
        """async () => {
            const all = [...document.querySelectorAll("[class^=packed], #packed-plotly")];
            const same = await Promise.all(all.map(async (one) => (await unpack(one)) === unpackNow(one)));
            return same.length > 3 && same.every(Boolean);
        }"""
    )
    stored = "0123456789" * 20
    assert page.evaluate(
        """async ([text]) => {
            const bytes = new TextEncoder().encode(text);
            const [size, no] = [bytes.length, 65535 - bytes.length];
            const whole = new Uint8Array([...Array(10).fill(0), 1, size & 255, size >> 8, no & 255, no >> 8,
                ...bytes, 0, 0, 0, 0, size & 255, size >> 8, 0, 0]);
            return new TextDecoder().decode(inflate(whole)) === text;
        }""",
        [stored],
    )
