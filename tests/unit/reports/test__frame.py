import csv
import io

import pandas as pd
import pytest

from lsbench.reports._frame import csv_cells, to_csv, to_frame
from lsbench.tables.summary import summarize


@pytest.mark.parametrize(
    ("text", "shown"), [("a;=1+1", "a;'=1+1"), ("a; @x;b", "a; '@x;b"), ("a\t-b", "a\t'-b"), ("a; b", "a; b")]
)
def test_a_text_that_other_separators_would_split_runs_neither(text, shown):
    assert to_csv(pd.DataFrame({"variant": [text]})).splitlines()[1] == shown


def test_two_suites_share_one_frame_and_rows_say_which(tiny, make_graph, fill_store):
    found = [summarize(fill_store(make_graph({**tiny, "name": name}))) for name in ("tiny", "other")]
    frame = to_frame(found)
    assert list(frame.columns[:3]) == ["suite", "preset", "variant"]
    assert list(zip(frame.suite, frame.variant, strict=True)) == [
        ("tiny", "ls"),
        ("tiny", "id"),
        ("other", "ls"),
        ("other", "id"),
    ]


def test_nothing_is_an_empty_frame():
    assert to_frame([]).empty


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\uff1d1",
        "-",
        '=HYPERLINK("http://x","y")',
    ],
)
def test_a_text_that_a_spreadsheet_would_run_starts_with_an_apostrophe(text):
    frame = pd.DataFrame({"variant": [text, "LS conv", None], text: [-0.5, 1e-3, float("nan")]})
    shown = "'" + text.replace("\r", "\n")
    header, first, *rest = csv.reader(io.StringIO(to_csv(frame), newline=""))
    assert header == ["variant", shown]
    assert first == [shown, "-0.5"]
    assert rest == [["LS conv", "0.001"], ["", ""]]


@pytest.mark.parametrize("kind", ["category", "string", "object"])
def test_every_kind_of_text_column_is_looked_at(kind):
    frame = pd.DataFrame({"a": pd.Series(["=1", "-5", "+1.5e-3", "b", None], dtype=kind)})
    assert to_csv(frame).split("\n") == ["a", "'=1", "-5", "+1.5e-3", "b", '""', ""]


def test_numbers_are_as_pandas_writes_them():
    frame = pd.DataFrame({"a": [-1, 2], "b": [-0.1, None], "c": [True, False]}).convert_dtypes()
    assert to_csv(frame) == frame.to_csv(index=False)


def test_cells_are_those_of_the_text():
    frame = pd.DataFrame(
        {
            "a,b": ['x "y"', "=1\n2", None, "-5"],
            "c": [1.5, float("nan"), 1e-7, 123456789012345680.0],
            "d": [0.1 + 0.2, 2e6, -1e-5, 1e22],
            "=e": [True, False, True, True],
            "f": [1, -2, 3, 4],
            "g": ["waiting", 0.25, None, -3],
        }
    )
    assert csv_cells(frame) == list(csv.reader(io.StringIO(to_csv(frame), newline="")))
