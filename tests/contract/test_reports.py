"""Every report format of lsbench keeps the promises of its kind; a new one is covered at once."""

import csv
import io
import json
import re

import pandas as pd
import pytest

from lsbench.core.registry import REPORTS
from lsbench.tables.summary import summarize
from lsbench.testing.samples import relabel
from lsbench.testing.test_report import *  # noqa: F403 - every promise is tested here
from lsbench.testing.test_report import HOSTILE

#: Scripts and packed data of a page: no words for a reader.
UNREAD = re.compile(r"<(script|style)\b.*?</\1>", re.DOTALL)


@pytest.fixture(params=REPORTS.own_names())
def name(request):
    return request.param


@pytest.fixture
def as_text(name):
    """How a format is read: of a page, what people see; of what is binary, the CSV of the same frame."""
    readers = {"html": lambda page: UNREAD.sub("", page), "parquet": read_parquet}
    return readers.get(name, lambda text: text)


def read_parquet(content):
    frame = pd.read_parquet(io.BytesIO(content))
    return frame.to_csv(index=False) if len(frame) else ""


@pytest.mark.parametrize("format_name", REPORTS.own_names())
def test_it_renders_no_table_as_nothing(format_name):
    made = REPORTS.load(format_name)([])
    text = read_parquet(made) if format_name == "parquet" else UNREAD.sub("", made)
    assert "variant" not in text
    assert format_name == "html" or text.strip() in {
        "",
        json.dumps({"schema_version": 1, "tables": []}, indent=1),
    }


def test_csv_and_json_give_back_names_and_numbers_exactly(tiny, make_graph, fill_store, records_of):
    tiny["variants"] = [
        {"name": f"v{i}", "mixer": "identity", "model_args": {"drop_path_rate": i / 100}}
        for i in range(len(HOSTILE))
    ]
    graph = make_graph({**tiny, "seeds": [0]})
    folder = fill_store(graph, lambda job: records_of(job, top1=0.12345678901234567))
    relabel(folder, {f"v{i}": label for i, label in enumerate(HOSTILE)})
    summary = summarize(folder)
    rows = list(csv.DictReader(io.StringIO(REPORTS.load("csv")([summary]), newline="")))
    tables = json.loads(REPORTS.load("json")([summary]))["tables"]
    assert [row["title"] for row in tables[0]["rows"]] == HOSTILE
    assert [row["title"] for row in rows] == [label.replace("\r", "\n") for label in HOSTILE]  # spreadsheets
    assert (
        {float(row["top1"]) for row in rows}
        == {row["top1"] for row in tables[0]["rows"]}
        == {0.12345678901234567}
    )
