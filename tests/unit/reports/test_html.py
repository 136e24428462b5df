import base64
import gzip
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from lsbench.core.errors import UsageError
from lsbench.reports import html
from lsbench.reports.html import render
from lsbench.tables.nights import NightCurve
from lsbench.tables.summary import summarize

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
#: Elements and attributes that make a browser load something.
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}


class Page(HTMLParser):
    """What stands in a page: its elements, and the text of each script."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self.texts, self.is_script = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.is_script = tag == "script"
        if self.is_script:
            self.scripts.append([dict(attrs), ""])

    def handle_endtag(self, tag):
        self.is_script = False

    def handle_data(self, data):
        if self.is_script:
            self.scripts[-1][1] += data
        self.texts.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def unpacked(text):
    return json.loads(gzip.decompress(base64.b64decode(text)))


@pytest.fixture
def summary(tiny, make_graph, fill_store, tested, with_epochs):
    tiny["variants"][1]["label"] = EVIL
    graph = tested(make_graph(tiny))

    def records(job):
        return with_epochs(job, {"train_loss": [2.0, 1.0]} if job.kind == "train" else {})

    found = summarize(fill_store(graph, records, failed=("id/evaluate/seed0",)))
    found.nights.append(NightCurve("ls", EVIL, "top1", "p", "fashion", [0.5, 0.4], ["ok", "regressed"], 0.5))
    return found


@pytest.fixture
def page(summary):
    return Page(render([summary]))


def test_it_loads_nothing_from_anywhere(page):
    for tag, attribute in LOADS.items():
        for attributes in page.all(tag):
            assert (attributes.get(attribute) or "data:").startswith("data:")
    style = next(text for text in page.texts if "--paper" in text)
    assert "@import" not in style
    assert "url(" not in style
    (policy,) = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src 'none'" in policy


def test_names_are_text_wherever_they_stand(summary, page):
    assert not [
        attributes for tag, attributes in page.elements if any(a.startswith("on") for a in attributes)
    ]
    assert {attributes.get("src", "data:")[:5] for attributes in page.all("img")} <= {"data:"}
    kinds = [attributes.get("type") for attributes, _ in page.scripts]
    assert kinds == [*["text/plain"] * 4, None], "no other script"
    assert EVIL in page.texts


def test_its_data_are_whole(page):
    table, details, charts = (text for _, text in page.scripts[:3])
    rows = unpacked(table)["rows"]
    assert [row[1] for row in rows] == ["ls", EVIL]
    assert unpacked(details)["records"]["ls"]
    assert unpacked(charts)["nights"][0][1] == EVIL
    assert {curve[3] for curve in unpacked(charts)["curves"]} == {"train_loss"}


def test_the_script_is_the_one_that_the_policy_lets_run(page):
    from lsbench.web.assets import script_hash

    (policy,) = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    plotly = gzip.decompress(base64.b64decode(page.scripts[3][1])).decode()
    for script in (page.scripts[4][1], plotly):
        assert script_hash(script) in policy
    assert "\r" not in plotly, "a browser would read another text, with another hash"


def test_without_scripts_tables_notes_and_sections_can_be_read(summary, page):
    text = " ".join(page.texts)
    for words in ("50.00", "failed", *summary.notes, "Robustness", "Training", "Gate", "regressed"):
        assert words in text


def test_every_chart_has_a_name_and_a_place_for_its_numbers(page):
    charts = [attributes for attributes in page.all("figure") if "data-chart" in attributes]
    assert [c["data-chart"] for c in charts] == ["pareto", "compare", "corruptions", "curves", "nights"]
    images = [attributes for attributes in page.all("div") if attributes.get("role") == "img"]
    assert len(images) == len(charts)
    assert all(attributes["aria-label"] for attributes in images)
    assert len([a for a in page.all("div") if "numbers" in (a.get("class") or "")]) == len(charts)


def test_ids_are_unique_with_several_suites(summary):
    ids = [a["id"] for _, a in Page(render([summary, summary])).elements if "id" in a]
    assert len(ids) == len(set(ids))


def test_the_same_results_are_the_same_page(summary):
    assert render([summary]) == render([summary])
    assert render([]) == ""


def test_the_contents_lead_to_every_section_and_hide_what_only_scripts_show(summary):
    page = Page(render([summary, summary]))
    links = [a["href"] for a in page.all("a") if a["href"] != "#contents"]
    headings = [f"#{a['id']}" for a in page.all("h3")]
    assert [link for link in links if "-" in link] == headings
    assert [link for link in links if "-" not in link] == ["#s0", "#s1"]
    assert {"#s0-table", "#s0-robustness", "#s1-gate"} <= set(headings)
    hidden = [a for tag, a in page.elements if tag == "li" and "hidden" in a]
    assert len(hidden) == 4, "the two charts without a table, twice"
    (nav,) = page.all("nav")
    assert nav["aria-labelledby"] == "contents"


def explained(summary):
    marks = [a for tag, a in Page(render([summary])).elements if tag == "span" and "data-mark" in a]
    return [a["data-mark"] for a in marks if "hidden" not in a]


def test_a_mark_is_explained_only_where_a_cell_has_it(tiny, make_graph, fill_store, records_of):
    graph = make_graph({**tiny, "seeds": [0]})
    tops = {"ls": 0.5, "id": 0.6}
    summary = summarize(fill_store(graph, lambda job: records_of(job, top1=tops[job.variant.name])))
    assert explained(summary) == ["best", "second"]
    rows = [replace(r, cells={k: replace(c, rank=None) for k, c in r.cells.items()}) for r in summary.rows]
    assert explained(replace(summary, rows=rows)) == []


def test_intervals_are_explained_where_there_are_seeds(summary):
    assert "interval" in explained(summary)


def test_a_table_with_rows_of_another_kind_says_so(summary):
    assert "measured" in Page(render([replace(summary, row_kind="measured")])).texts


def test_long_protocols_in_titles_may_wrap(summary):
    column = next(c for c in summary.columns if c.key == "latency_ms")
    columns = [replace(c, remark=" [b=8|fp32|nchw]") if c is column else c for c in summary.columns]
    assert "b=8|<wbr>fp32|<wbr>nchw]" in render([replace(summary, columns=columns)])


def test_nothing_is_cut_off_on_paper(page):
    style = next(text for text in page.texts if "--paper" in text)
    assert "@media print" in style
    for rule in (".suite > section { break-inside: avoid;", "overflow: visible", "print-color-adjust: exact"):
        assert rule in style
    assert not [a for a in page.all("img") if a.get("loading") == "lazy"], "would be blank on paper"


def test_only_the_first_rows_stand_in_a_long_page(tiny, make_graph, fill_store):
    tiny["variants"] = [{"name": f"v{n:03d}", "mixer": "identity"} for n in range(html.FIRST_ROWS + 5)]
    folder = fill_store(make_graph({**tiny, "seeds": [0]}), lambda job: None)
    text = render([summarize(folder)])
    page = Page(text)
    assert len(unpacked(page.scripts[0][1])["rows"]) == html.FIRST_ROWS + 5
    assert len(re.findall(r'<th scope="row"><span>v\d+', text)) == html.FIRST_ROWS


def test_without_plotly_it_says_what_to_install(summary, monkeypatch):
    html._plotly.cache_clear()
    monkeypatch.setattr(html, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install plotly"):
        render([summary])
    html._plotly.cache_clear()
