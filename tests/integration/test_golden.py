"""What each format says of a stored result set of a real run, word by word.

After a wanted change, rewrite the files and read the difference before you commit it:
``LSBENCH_REWRITE_GOLDEN=1 pytest -n 0 tests/integration/test_golden.py``
"""

import io
import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from lsbench.cli.main import run_command
from lsbench.core.registry import REPORTS
from lsbench.store.results import ResultsFolder
from lsbench.tables.paper import paper_summary
from lsbench.tables.summary import summarize
from lsbench.tables.view import View, apply_view

GOLDEN = Path(__file__).parents[1] / "golden"
ENDINGS = {"console": "txt", "csv": "csv", "json": "json", "latex": "tex", "markdown": "md"}
VIEWS = {
    "pivot": View(is_pivoted=True, columns=("*top1*", "params"), precision=1),
    "sorted": View(sort_by="params", rows=("ls_conv", "w/o *", "involution", "awkward")),
    "changed": View(only_changed=True),
}


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    """The summary of the stored results, read from a copy: reading leaves derived files."""
    place = tmp_path_factory.mktemp("golden") / "golden" / "default"
    shutil.copytree(GOLDEN / "results" / "golden" / "default", place)
    return summarize(ResultsFolder(place))


def check(name, text):
    file = GOLDEN / "expected" / name
    if os.environ.get("LSBENCH_REWRITE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ENDINGS)
def test_every_format(name, summary, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    check(f"golden.{ENDINGS[name]}", REPORTS.load(name)([summary]))


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 140, 200])
def test_the_terminal_gets_whole_words_in_its_width(columns, summary, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    words = set(re.findall(r"[+-]?\d+(?:[.,]\d+)?|[^\W\d_]+", REPORTS.load("console")([summary])))
    monkeypatch.setenv("COLUMNS", str(columns))
    text = REPORTS.load("console")([summary])
    assert max(map(len, text.splitlines())) <= columns
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_listings_break_at_words_on_a_terminal(columns, summary, monkeypatch, capsys, tmp_path):
    results = str(summary.folder.root.parents[1])
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for verb in (
        ["list", "mixers"],
        ["list", "suites"],
        ["status", "golden", "--results", results],
        ["show", "involution", "--results", results],
        ["why", "involution/train/seed0", "--results", results],
        ["plan", "paper/table1", "--results", str(tmp_path)],
        ["clean", "golden", "--results", results],
    ):
        run_command(verb)
        out = capsys.readouterr().out
        assert out, verb
        assert max(map(len, out.splitlines())) <= columns, verb


@pytest.mark.parametrize("name", VIEWS)
def test_views(name, summary):
    check(f"{name}.md", REPORTS.load("markdown")([apply_view(summary, VIEWS[name])]))


@pytest.mark.parametrize("number", [1, 7])
def test_tables_of_the_paper_of_which_nothing_is_run(number):
    check(f"paper{number}.md", REPORTS.load("markdown")([paper_summary(number, None)]))


def test_parquet_holds_what_csv_holds(summary):
    frame = pd.read_parquet(io.BytesIO(REPORTS.load("parquet")([summary])))
    text = pd.read_csv(io.StringIO(REPORTS.load("csv")([summary])))
    assert list(frame.columns) == list(text.columns)
    for name in frame:
        assert frame[name].isna().tolist() == text[name].isna().tolist(), name
        assert frame[name].dropna().tolist() == text[name].dropna().tolist(), name


def test_the_stored_results_show_every_kind_of_hole(summary):
    holes = {cell.hole for row in summary.rows for cell in row.cells.values()}
    assert holes == {"", "failed", "waiting", "withheld", "inconclusive", "no GPU", "unknown"}
