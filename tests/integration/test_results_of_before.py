"""Results that an earlier code wrote: read, continued and reported with equal numbers, ids and protocols.

The folder `tests/stored/before` holds what lsbench of 2026-11-26 stored of a suite, and what it said of it.
"""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import lsbench
from lsbench.cli.main import run_command

STORED = Path(__file__).parents[1] / "stored" / "before"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A copy: reading leaves derived files."""
    place = tmp_path_factory.mktemp("stored") / "results"
    shutil.copytree(STORED / "results", place)
    return place


def test_the_long_table_is_the_same(results):
    expected = pd.DataFrame(json.loads((STORED / "long.json").read_text(encoding="utf-8")))
    found = lsbench.load_table("before", results=results)
    told = pd.DataFrame(json.loads(found.to_json(orient="records", double_precision=15)))
    pd.testing.assert_frame_equal(told[expected.columns.tolist()], expected)


def test_nothing_runs_again(results, capsys):
    assert run_command(["run", str(STORED / "suite.yaml"), "--results", str(results), "-n"]) == 0
    assert "left: nothing; done: 34" in capsys.readouterr().out


def test_every_number_of_the_old_report_is_in_the_new_one(results, tmp_path):
    file = tmp_path / "report.csv"
    assert (
        run_command(["report", "before", "--results", str(results), "--format", "csv", "-o", str(file)]) == 0
    )
    old, new = pd.read_csv(STORED / "report.csv"), pd.read_csv(file)
    pd.testing.assert_frame_equal(new[old.columns.tolist()], old)
