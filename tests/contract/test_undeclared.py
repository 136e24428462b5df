"""An undeclared metric is found in every report format, with a warning about its missing unit."""

import io
import json

import pandas as pd
import pytest

from lsbench.cli.main import run_command
from lsbench.core.registry import REPORTS

WARNING = "strangeness: no unit declared"


@pytest.fixture
def results(tiny, make_graph, fill_store, records_of):
    def records(job):
        found = records_of(job)
        if job.kind != "evaluate":
            return found
        return [*found, {**found[0], "metric": "strangeness", "value": 0.1234, "unit": ""}]

    return fill_store(make_graph(tiny), records).root.parents[1]


def report(results, tmp_path, capsys, *more):
    """Return what a report holds, and what is said beside it."""
    file = tmp_path / "report"
    assert run_command(["report", "tiny", "--results", str(results), "-o", str(file), *more]) == 0
    return file.read_bytes(), capsys.readouterr().err


@pytest.mark.parametrize("name", REPORTS.own_names())
def test_every_format_holds_it_and_warns(name, results, tmp_path, capsys):
    content, beside = report(results, tmp_path, capsys, "--format", name, "--all-columns")
    if name == "parquet":
        frame = pd.read_parquet(io.BytesIO(content))
        assert frame.strangeness.tolist() == [0.1234, 0.1234]
        assert frame.attrs["units"]["strangeness"] == ""
        assert WARNING in beside
        return
    text = content.decode()
    assert "strangeness" in text
    assert "0.1234" in text
    assert WARNING in text or WARNING in beside


@pytest.mark.parametrize("name", ["console", "markdown", "latex"])
def test_tables_for_people_name_it_and_show_it_when_asked(name, results, tmp_path, capsys):
    short, _ = report(results, tmp_path, capsys, "--format", name)
    assert "0.1234" not in short.decode()
    assert "3 further measurements: top5, strangeness, train_loss" in " ".join(
        short.decode().split()
    ).replace("\\", "")
    chosen, _ = report(results, tmp_path, capsys, "--format", name, "--columns", "strange*")
    assert "0.1234" in chosen.decode()
    assert "top-1" not in chosen.decode().partition("strangeness")[2].partition("\n")[0]


def test_a_metric_that_was_never_measured_is_refused_with_those_that_were(results, capsys):
    assert run_command(["report", "tiny", "--results", str(results), "--columns", "brier"]) == 2
    told = capsys.readouterr().err
    assert "--columns brier: no match" in told
    assert "strangeness" in told


def test_what_is_no_headline_is_in_formats_for_programs(results, tmp_path, capsys):
    table = json.loads(report(results, tmp_path, capsys, "--format", "json")[0])["tables"][0]
    assert {column["key"]: column["is_further"] for column in table["columns"]}["top5"]
    csv = pd.read_csv(io.BytesIO(report(results, tmp_path, capsys, "--format", "csv")[0]))
    assert csv.top5.tolist() == [0.9, 0.9]
    html = report(results, tmp_path, capsys, "--format", "html")[0].decode()
    assert "top-5 (%)" in html
