import json
from pathlib import Path

import pytest

from lsbench.cli.main import run_command
from lsbench.core.atomic import write_text
from lsbench.live import server


@pytest.fixture
def results(tiny, make_graph, fill_store):
    return str(fill_store(make_graph(tiny), failed=("id/evaluate/seed0",)).root.parents[1])


def test_it_is_text_for_people_and_lines_for_machines(results, capsys):
    assert run_command(["status", "--results", results]) == 0
    assert "id/evaluate/seed0: ValueError: too bad" in capsys.readouterr().out
    assert run_command(["status", "--results", results, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["errors"] == {"id/evaluate/seed0": "ValueError: too bad"}


def test_it_says_how_much_room_results_take(results, capsys):
    job = next(path for path in Path(results).glob("tiny/default/jobs/train-*"))
    write_text(job / "checkpoints" / "step-000000002.pt", "s" * 3 * 2**20)
    assert run_command(["status", "--results", results]) == 0
    out = capsys.readouterr().out
    assert "  on disk: 3.0 MiB (3.0 MiB checkpoints, " in out
    assert run_command(["status", "--results", results, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["bytes"]
    files = [path for path in Path(results).rglob("tiny/default/**/*") if path.is_file()]
    assert found["total"] == sum(path.stat().st_size for path in files)
    assert (found["checkpoints"], found["weights"]) == (3 * 2**20, 0)


def test_served_it_follows_the_same_folders(results, capsys, monkeypatch):
    served = []
    monkeypatch.setattr(server, "serve", lambda snapshots, port, announce: served.append((snapshots, port)))
    assert run_command(["status", "tiny", "--results", results, "--serve"]) == 0
    assert run_command(["status", "--results", results, "--serve", "--port", "0"]) == 0
    assert [port for _, port in served] == [server.PORT, 0]
    assert {snapshots.read()["suites"][0]["name"] for snapshots, _ in served} == {"tiny (default)"}


def test_served_it_may_start_before_the_first_result(tmp_path, monkeypatch):
    served = []
    monkeypatch.setattr(server, "serve", lambda snapshots, *_: served.append(snapshots.read()))
    assert run_command(["status", "--results", str(tmp_path), "--serve"]) == 0
    assert "as soon as a run begins" in served[0]["problem"]


def test_a_port_without_serving_is_told(results, capsys):
    assert run_command(["status", "--results", results, "--port", "1"]) == 2
    assert capsys.readouterr().err == "lsbench: --port: only together with --serve\n"
