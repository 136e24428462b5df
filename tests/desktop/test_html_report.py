"""The HTML report as a reader meets it: in a real browser, wide and narrow, light and dark."""

import time
from dataclasses import replace

import pytest

from lsbench.core.facets import Facets
from lsbench.reports.html import render
from lsbench.tables.cells import Cell

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.desktop


@pytest.fixture
def report(summary, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render([summary]), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def report_of_two(summary, tmp_path):
    path = tmp_path / "reports.html"
    path.write_text(render([summary, replace(summary, preset="other")]), encoding="utf-8")
    return path.as_uri()


def count_of(page):
    return page.locator("section.table output")


def titles(page):
    return page.locator("section.table tbody th > span").all_inner_texts()


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("is_wide", [True, False], ids=["wide", "narrow"])
def test_everybody_can_use_it(report_of_two, look, axe, draw_all, is_wide, is_dark):
    seen = look(report_of_two, is_wide=is_wide, is_dark=is_dark)
    draw_all(seen.page)
    assert seen.page.locator(".plot .main-svg").count() >= 10
    assert axe(seen.page) == []
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"
    seen.page.locator("section.table tbody td").first.click()
    seen.page.wait_for_selector("dialog[open] details")
    assert axe(seen.page) == []
    assert seen.is_quiet, (seen.complaints, seen.requests)


def test_it_sorts_with_holes_last_and_back(report, look):
    page = look(report).page
    before = titles(page)
    head = page.locator("section.table thead button", has_text="latency")
    head.click()
    assert titles(page) == before[::-1], "the fastest first"
    assert page.locator("th[aria-sort=ascending]").count() == 1
    head.click()
    assert titles(page) == before
    head.click()
    assert page.locator("th[aria-sort=ascending], th[aria-sort=descending]").count() == 0
    page.locator("section.table thead button", has_text="variant").click()
    assert titles(page) == sorted(before, key=str.lower, reverse=True) or titles(page) == sorted(
        before, key=str.lower
    )


def test_it_filters_by_words_and_by_numbers(report, look):
    page = look(report).page
    box = page.get_by_role("searchbox")
    box.fill("w/o")
    expect(count_of(page)).to_have_text("2 of 5 rows")
    assert titles(page) == ["w/o LKP", "w/o SKA"]
    box.fill("latency_ms<4.5 w/o")
    expect(count_of(page)).to_have_text("1 of 5 rows")
    assert titles(page) == ["w/o SKA"]
    box.fill("")
    expect(count_of(page)).to_have_text("5 rows")


def test_a_detail_opens_by_keyboard_and_tells_all(report, look):
    seen = look(report)
    page = seen.page
    page.locator("section.table tbody [tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    dialog = page.locator("dialog")
    assert dialog.locator("h2").inner_text() == "w/o LKP: top-1 (%)"
    assert dialog.locator("h3", has_text="3 records").count() == 1
    dialog.locator("details summary").first.click()
    text = dialog.locator("details").first.inner_text()
    for words in ("a host", '"seed": 0', "without_lkp"):
        assert words in text
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate("document.activeElement.tagName") == "TD", "the reader is back where he was"
    assert seen.is_quiet


def test_a_picture_opens_large_with_its_numbers(report, look):
    seen = look(report)
    page = seen.page
    small = page.locator(".gallery button").first
    width = small.bounding_box()["width"]
    small.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    dialog = page.locator("dialog")
    assert dialog.locator("h2").inner_text().startswith("erf of ")
    assert dialog.locator("img").bounding_box()["width"] > width
    assert dialog.locator("dl dd").count() == 1
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.parentElement.closest('.gallery') !== null")
    assert seen.is_quiet


def test_a_name_made_of_script_is_text_everywhere(report, look, draw_all):
    seen = look(report)
    page = seen.page
    page.on("dialog", lambda alert: seen.complaints.append(alert.message))
    draw_all(page)
    assert "</script><script>alert(1)</script>" in titles(page)
    page.locator("section.table tbody th").last.click()
    page.wait_for_selector("dialog[open]")
    assert page.locator("dialog h2").inner_text() == "</script><script>alert(1)</script>"
    assert page.locator("body script").count() == 5
    assert seen.is_quiet


def test_charts_follow_the_filter_and_say_their_numbers(report, look, draw_all):
    page = look(report).page
    draw_all(page)
    figure = page.locator("[data-chart=pareto]")
    figure.locator("summary").click()
    expect(figure.locator(".numbers tbody tr")).to_have_count(5)
    page.get_by_role("searchbox").fill("w/o")
    expect(figure.locator(".numbers tbody tr")).to_have_count(2)
    assert "intervals" in figure.locator(".plot").get_attribute("aria-label")


def test_runtimes_are_chosen_and_compared_in_the_chart_of_quality_and_cost(summary, tmp_path, look, draw_all):
    keys, words = ("top1", "latency_ms"), "onnxruntime int8 static"
    form = Facets(runtime="onnxruntime", precision="int8", quantisation="static")
    more = {
        f"{column.key}@int8": replace(
            column, key=f"{column.key}@int8", facets=form, protocol="int8", remark=f" [{words}]"
        )
        for column in summary.columns
        if column.key in keys
    }
    rows = [
        replace(row, cells={**row.cells, **{f"{key}@int8": row.cells[key] for key in keys}})
        for row in summary.rows
    ]
    path = tmp_path / "runtimes.html"
    both = replace(summary, columns=[*summary.columns, *more.values()], rows=rows)
    path.write_text(render([both]), encoding="utf-8")
    page = look(path.as_uri()).page
    draw_all(page)
    figure = page.locator("[data-chart=pareto]")
    figure.locator("summary").click()
    alone = figure.locator(".numbers tbody tr").count()
    figure.locator("select").last.select_option(label="each one")
    expect(figure.locator(".numbers tbody tr")).to_have_count(2 * alone)
    numbers = figure.locator(".numbers").inner_text()
    assert f"LS conv, {words}" in numbers
    assert "LS conv, eager fp32" in numbers
    figure.locator("select").last.select_option(label=words)
    expect(figure.locator(".numbers tbody tr")).to_have_count(alone)
    assert "top-1 (%) [" not in figure.locator(".numbers thead").inner_text()


def test_no_axis_reaches_beyond_what_a_share_can_be(summary, tmp_path, look, draw_all):
    sure = [
        replace(cell.estimate, value=0.999, low=0.99, high=1.0) for cell in [summary.rows[0].cells["top1"]]
    ]
    rows = [replace(row, cells={**row.cells, "top1": Cell(sure[0], expected=3)}) for row in summary.rows]
    path = tmp_path / "sure.html"
    path.write_text(render([replace(summary, rows=rows)]), encoding="utf-8")
    page = look(path.as_uri()).page
    draw_all(page)
    axes = page.evaluate(
        "[...document.querySelectorAll('.plot')].filter((plot) => plot._fullLayout).flatMap((plot) => "
        "[plot._fullLayout.xaxis, plot._fullLayout.yaxis].map((axis) => [axis.title.text, ...axis.range]))"
    )
    shares = [
        (title, *sorted(ends)) for title, *ends in axes if title and "(%)" in title and "Δ" not in title
    ]
    assert len(shares) >= 4
    assert all(low >= 0 and high <= 100 for _, low, high in shares), shares


def test_classes_are_shown_beside_the_baseline_and_as_a_matrix(report, look, draw_all):
    seen = look(report)
    page = seen.page
    draw_all(page)
    figure = page.locator("figure.classes")
    assert figure.locator(".class-table tbody tr").count() == 10
    assert figure.locator(".class-table th", has_text="difference").count() == 1
    assert figure.locator(".matrix td.diagonal").count() == 10
    assert "w/o LKP, beside the baseline LS conv" in figure.locator("figcaption").inner_text()
    figure.get_by_label("row").select_option(label="LS conv")
    assert figure.locator(".class-table th", has_text="difference").count() == 0
    reliability = page.locator("[data-chart=reliability]")
    assert "Expected calibration error" in reliability.locator("figcaption").inner_text()
    reliability.locator("summary").click()
    expect(reliability.locator(".numbers tbody tr")).to_have_count(15)
    assert seen.is_quiet


def test_disagreements_are_pictures_or_the_names_of_files(report, look):
    seen = look(report)
    rows = seen.page.locator("details.row-images")
    assert rows.count() == 4
    first = rows.first
    assert 0 < first.locator("img").count() < first.locator("figure").count() <= 24
    assert all(
        "; LS conv: " in alt for alt in first.locator("img").evaluate_all("all => all.map(i => i.alt)")
    )
    assert first.locator("img").evaluate_all("all => all.every(i => i.naturalWidth > 0)")
    assert seen.page.get_by_text("images have no thumbnail here").count() == 1
    assert seen.is_quiet


def test_the_switch_of_colours_is_kept_and_charts_follow(report, look, draw_all):
    page = look(report).page
    draw_all(page)
    back = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(back)
    page.select_option("#theme", "dark")
    assert page.evaluate(back) != light
    page.reload()
    assert page.evaluate(back) != light


def test_it_can_be_read_without_scripts(report, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report)
    assert len(titles(page)) == 5
    assert page.locator("figure[data-chart]:visible").count() == 0
    assert page.get_by_role("heading", name="Robustness").is_visible()
    context.close()


def test_ten_thousand_rows_render_sort_and_filter(large_summary, look, tmp_path, capsys):
    start = time.perf_counter()
    path = tmp_path / "large.html"
    path.write_text(render([large_summary]), encoding="utf-8")
    made = time.perf_counter()
    seen = look(path.as_uri())
    page = seen.page
    expect(count_of(page)).to_have_text("10000 rows", timeout=60_000)
    shown = time.perf_counter()
    page.locator("section.table thead button", has_text="latency").click()
    page.wait_for_selector("th[aria-sort=ascending]")
    ordered = time.perf_counter()
    page.get_by_role("searchbox").fill("top1>50 kernel")
    expect(count_of(page)).to_contain_text(" of 10000 rows", timeout=60_000)
    filtered = time.perf_counter()
    page.wait_for_selector("[data-chart=pareto] .main-svg")
    drawn = time.perf_counter()
    times = zip(
        ("written", "shown", "sorted", "filtered", "charts"),
        (made, shown, ordered, filtered, drawn),
        strict=True,
    )
    with capsys.disabled():
        print(
            "\n10,000 rows:",
            *(f"{name} {at - (start if name == 'written' else made):.2f} s" for name, at in times),
        )
        print(f"{path.stat().st_size / 1e6:.1f} MB")
    assert seen.is_quiet
    assert filtered - made < 15, "a bound for slow machines; the README says what was measured"
