"""Every registered report format keeps the promises of its kind; a new one is covered at once."""

import csv
import io
import json
import re

import pandas as pd
import pytest

from lsbench.core.registry import REPORTS
from lsbench.tables.summary import summarize

HOSTILE = [
    "<script>alert(1)</script>",
    "a|b`c*d_e",
    "\"quoted\", 'both'",
    "[click](http://x)",
    "ü\n\nnew\rline",
]


#: Scripts and packed data of a page: no words for a reader.
UNREAD = re.compile(r"<(script|style)\b.*?</\1>", re.DOTALL)


@pytest.fixture(params=REPORTS.names())
def render(request):
    """Render a format as text: of a page, what people read; of what is binary, the CSV of the same frame."""
    made = REPORTS.load(request.param)
    readers = {"html": lambda page: UNREAD.sub("", page), "parquet": read_parquet}
    read = readers.get(request.param, lambda text: text)
    return lambda found: read(made(found))


def read_parquet(content):
    frame = pd.read_parquet(io.BytesIO(content))
    return frame.to_csv(index=False) if len(frame) else ""


@pytest.fixture
def with_holes(tiny, make_graph, fill_store, records_of):
    """A summary in which one variant has failed, one is missing and one lacks a seed."""
    tiny["variants"] += [{"name": "gone", "mixer": "involution"}, {"name": "cut", "mixer": "cond_conv"}]
    tops = {"ls": 0.123456789, "id": 0.2, "cut": 0.3}

    def records(job):
        if job.variant.name == "gone" or job.label == "cut/evaluate/seed1":
            return None
        return records_of(job, top1=tops[job.variant.name] + (job.seed or 0) / 100)

    return summarize(fill_store(make_graph(tiny), records, failed=("id/evaluate/seed0", "id/evaluate/seed1")))


def test_it_renders_holes_as_holes(render, with_holes):
    text = render([with_holes])
    assert text.endswith("\n")
    assert "failed" in text
    assert "missing" in text
    for name in ("ls", "id", "gone", "cut", "tiny"):
        assert name in text
    assert "nan" not in text.lower().replace("nano", "")


def test_it_renders_nothing_and_several(render, with_holes):
    assert render([]).strip() in {"", json.dumps({"schema_version": 1, "tables": []}, indent=1)}
    assert render([with_holes, with_holes]).count("gone") >= 2 * render([with_holes]).count("gone") > 0


def test_it_renders_the_same_text_twice(render, with_holes):
    assert render([with_holes]) == render([with_holes])


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_name_hides_no_other_row_and_no_number(render, label, tiny, make_graph, fill_store):
    plain = render([summarize(fill_store(make_graph(tiny)))])
    tiny["variants"][0]["label"] = label
    text = render([summarize(fill_store(make_graph(tiny)))])
    for word in ("id", "5.0"):
        assert text.count(word) >= plain.count(word) > 0


def test_csv_and_json_give_back_names_and_numbers_exactly(tiny, make_graph, fill_store, records_of):
    tiny["variants"] = [
        {"name": f"v{i}", "label": label, "mixer": "identity"} for i, label in enumerate(HOSTILE)
    ]
    graph = make_graph({**tiny, "seeds": [0]})
    summary = summarize(fill_store(graph, lambda job: records_of(job, top1=0.12345678901234567)))
    rows = list(csv.DictReader(io.StringIO(REPORTS.load("csv")([summary]), newline="")))
    tables = json.loads(REPORTS.load("json")([summary]))["tables"]
    assert [row["title"] for row in rows] == [row["title"] for row in tables[0]["rows"]] == HOSTILE
    assert (
        {float(row["top1"]) for row in rows}
        == {row["top1"] for row in tables[0]["rows"]}
        == {0.12345678901234567}
    )
