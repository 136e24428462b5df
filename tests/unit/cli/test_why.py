import pytest

from lsbench.cli.main import run_command


@pytest.fixture
def results(tiny, make_graph, fill_store):
    return str(fill_store(make_graph(tiny), failed=("ls/train/seed0",)).root.parents[1])


def test_why_says_what_became_of_a_job(results, capsys):
    assert run_command(["why", "ls/train/seed0", "--results", results]) == 0
    assert "failed after 1 attempt: ValueError: too bad" in capsys.readouterr().out


def test_unknown_jobs_and_empty_stores_end_in_one_line(results, tmp_path, capsys):
    assert run_command(["why", "nope", "--results", results]) == 2
    assert capsys.readouterr().err.startswith("lsbench: nope: no job has this label")
    assert run_command(["why", "nope", "--results", str(tmp_path / "empty")]) == 5
