import json

import pytest

from lsbench.cli.main import run_command


@pytest.fixture
def stores(tiny, make_graph, fill_store, records_of, tmp_path):
    """Two results folders of one suite, the second with better figures."""
    graph = make_graph({**tiny, "seeds": [0, 1, 2]})
    for name, gain in (("one", 0.0), ("two", 0.1)):
        fill_store(
            graph,
            lambda job, gain=gain: records_of(job, top1=0.5 + gain * (1 + (job.seed or 0) / 100)),
            results=tmp_path / name,
        )
    return [str(tmp_path / name) for name in ("one", "two")]


def test_compare_prints_the_table_and_the_words(stores, capsys):
    assert run_command(["compare", *stores]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "top-1: ls in B is better than ls in A by 10.10 points" in out
    assert "fashion top-1 (%)" in out


def test_compare_writes_json_and_markdown_into_files(stores, tmp_path):
    path = tmp_path / "out"
    assert run_command(["compare", *stores, "--format", "json", "-o", str(path)]) == 0
    rows = json.loads(path.read_text())["rows"]
    [top1] = [row for row in rows if (row["variant"], row["metric"]) == ("id", "top1")]
    assert top1["comparison"]["value"] == pytest.approx(0.101)
    assert run_command(["compare", *stores, "--format", "markdown", "-o", str(path)]) == 0
    assert "| ls | fashion top-1 (%) | 50.00 | 60.10 | +10.10 |" in path.read_text()


def test_a_side_that_stands_twice_has_its_notes_once(stores, capsys, monkeypatch):
    note = "3 results of earlier code."
    monkeypatch.setattr(
        "lsbench.tables.side_by_side.ComparedResults.code_notes", lambda self: [f"{self.name}: {note}"]
    )
    assert run_command(["compare", stores[0], stores[0]]) == 0
    assert capsys.readouterr().out.count(note) == 1
    assert run_command(["compare", *stores, "--format", "json"]) == 0
    assert capsys.readouterr().err.count(note) == 2


def test_what_is_no_source_ends_in_one_line(stores, capsys):
    assert run_command(["compare", stores[0], "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("lsbench: nowhere: neither a results folder")


def test_verify_shows_each_published_number(tiny, make_graph, fill_store, tmp_path, capsys):
    tiny["variants"][0]["published"] = {"params": 2e6, "macs": 0.4e9}
    fill_store(make_graph(tiny))
    results = ["--results", str(tmp_path / "results")]
    assert run_command(["verify", "tiny", *results, "--format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "| tiny | ls | params (M) | 2.0 | 2.000 | reproduces |" in out
    assert "rounds to 0.3, not 0.4" in out
    assert "1 reproduces, 1 differs, 0 cannot tell yet." in out
    assert run_command(["verify", *results, "--format", "json"]) == 0
    assert {row["verdict"] for row in json.loads(capsys.readouterr().out)} == {"reproduces", "differs"}


def test_verify_without_published_numbers_is_exit_5(stores, capsys):
    assert run_command(["verify", "--results", stores[0]]) == 5
    assert "no results of a suite with published numbers" in capsys.readouterr().err
