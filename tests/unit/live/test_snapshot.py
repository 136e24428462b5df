from datetime import UTC, datetime

import pytest

from lsbench.core.errors import NothingMeasuredError, UsageError
from lsbench.core.lock import locked
from lsbench.live import snapshot
from lsbench.live.snapshot import Snapshots
from lsbench.store.durations import Remaining, write_time_left


class Clock:
    """Rises by a second whenever it is read; a test may set it forward."""

    now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph(tiny)


def test_it_says_what_is_done_what_runs_and_what_failed(graph, fill_store, records_of):
    def records(job):
        return None if job.variant.name == "id" else records_of(job)

    folder = fill_store(graph, records, failed=("id/evaluate/seed0",))
    job = next(job for job in graph.jobs if job.label == "id/train/seed0")
    with locked(folder.job_folder(str(job.id)) / ".lock", what="a job"), locked(folder.lock_file, what="it"):
        found = Snapshots(lambda: [folder]).read()
    (suite,) = found["suites"]
    assert (found["problem"], suite["problem"], suite["name"]) == ("", "", "tiny (default)")
    assert suite["is_running"]
    assert suite["counts"]["train"] == {"ok": 2, "running": 1, "waiting": 1}
    assert suite["counts"]["evaluate"] == {"ok": 2, "failed": 1, "waiting": 1}
    assert [one["label"] for one in suite["running"]] == ["id/train/seed0"]
    assert suite["errors"] == [("id/evaluate/seed0", "ValueError: too bad")]
    (table,) = suite["tables"]
    assert table["heading"] == "tiny (default)"
    assert [row[0] for row in table["rows"]] == ["ls (baseline)", "id"]


def test_a_cell_whose_job_has_begun_changes_once_its_table_has_rested(graph, fill_store, records_of):
    folder = fill_store(graph, lambda job: None if job.variant.name == "id" else records_of(job))
    clock = Clock()
    snapshots = Snapshots(lambda: [folder], clock=clock)

    def words():
        return snapshots.read()["suites"][0]["tables"][0]["rows"][1]

    job = next(job for job in graph.jobs if job.label == "id/evaluate/seed0")
    assert "running" not in words()
    with locked(folder.job_folder(str(job.id)) / ".lock", what="a job"):
        assert "running" not in words()
        clock.now += 60
        assert "running" in words()


def test_an_edit_of_code_takes_the_results_that_it_makes_due_off_the_page(graph, fill_store, monkeypatch):
    folder = fill_store(graph)
    reasons = {}
    standing = type("Standing", (), {"due": lambda self, **_: reasons})()
    for reader in ("lsbench.tables.status", "lsbench.tables.frames.parts"):
        monkeypatch.setattr(f"{reader}.standing_now", lambda *_: standing)
    snapshots = Snapshots(lambda: [folder], clock=Clock())
    before = snapshots.read()["suites"][0]["tables"]
    reasons |= {job.id: "code of mixer acme changed" for job in graph.jobs if job.variant.name == "id"}
    assert snapshots.read()["suites"][0]["tables"] != before
    assert "due: " in str(snapshots.summaries()[0].notes)
    reasons.clear()
    assert snapshots.read()["suites"][0]["tables"] == before


def test_what_has_not_changed_is_not_read_again_and_what_has_is(graph, fill_store, job_lines, monkeypatch):
    folder = fill_store(graph)
    made = []
    original = snapshot.summarize
    monkeypatch.setattr(snapshot, "summarize", lambda one: made.append(one) or original(one))
    clock = Clock()
    snapshots = Snapshots(lambda: [folder], clock=clock)
    assert snapshots.read() == snapshots.read()
    assert len(made) == 1
    folder.add_job(job_lines[1](graph.jobs[0]), [])
    assert snapshots.read()["suites"][0]["counts"]["train"] == {"ok": 3, "failed": 1}
    assert len(made) == 1, "a table rests ten times as long as it took"
    clock.now += 60
    snapshots.read()
    assert len(made) == 2
    assert snapshots.summaries() == [original(folder)]


def test_results_that_are_not_there_yet_are_waited_for(graph, fill_store):
    def none():
        raise NothingMeasuredError("no results")

    found = Snapshots(none).read()
    assert found["suites"] == []
    assert "as soon as a run begins" in found["problem"]

    def wrong():
        raise UsageError("no such suite")

    assert Snapshots(wrong).read() == {"suites": [], "problem": "no such suite"}


def test_a_damaged_suite_leaves_the_others(graph, fill_store, tmp_path):
    good = fill_store(graph)
    bad = fill_store(graph, results=tmp_path / "other")
    (bad.root / "manifest.json").write_text("{")
    first, second = Snapshots(lambda: [bad, good]).read()["suites"]
    assert "damaged" in first["problem"]
    assert second["counts"]


def test_long_lists_are_cut_and_say_so(graph, fill_store, monkeypatch):
    monkeypatch.setattr(snapshot, "MOST_ROWS", 1)
    monkeypatch.setattr(snapshot, "MOST_ERRORS", 1)
    folder = fill_store(graph, failed=("id/evaluate/seed0", "id/evaluate/seed1"))
    (suite,) = Snapshots(lambda: [folder]).read()["suites"]
    assert (len(suite["errors"]), suite["more_errors"]) == (1, 1)
    assert (len(suite["tables"][0]["rows"]), suite["tables"][0]["more"]) == (1, 1)


def test_the_page_knows_when_a_run_ends_or_what_is_unknown(graph, fill_store):
    folder = fill_store(graph)

    def read(estimate):
        write_time_left(folder, estimate)
        with locked(folder.lock_file, what="it"):
            (suite,) = Snapshots(lambda: [folder]).read()["suites"]
        return suite["ends_at"], suite["time_left"]

    end, text = read(Remaining(7200.0))
    seconds = (datetime.fromisoformat(end) - datetime.now(UTC)).total_seconds()
    assert (7190 < seconds < 7202, text) == (True, "")
    assert read(Remaining(None, ("train",))) == (None, "unknown until the first train job has run")
    assert read(Remaining(60.0, ("train",)))[1].startswith("more than ")
    (suite,) = Snapshots(lambda: [folder]).read()["suites"]
    assert (suite["ends_at"], suite["time_left"]) == (None, "")
