import os
from collections import Counter

import pytest

from lsbench.core.atomic import write_json
from lsbench.core.lock import locked
from lsbench.store.durations import Remaining, write_time_left
from lsbench.store.job_files import HISTORY
from lsbench.store.results import ALIVE, SPEC, ResultsFolder
from lsbench.tables.status import Epochs, _since, read_status, status_lines


def test_every_expected_job_is_counted(tiny, make_graph, fill_store, records_of):
    graph = make_graph(tiny)

    def only_train(job):
        return records_of(job) if job.kind == "train" else None

    found = read_status(fill_store(graph, only_train, failed=("ls/train/seed1",)))
    assert (found.suite, found.preset) == ("tiny", "default")
    assert found.counts == {
        "train": Counter(ok=3, failed=1),
        "evaluate": Counter(waiting=4),
        "profile": Counter(waiting=2),
    }
    assert found.errors == {"ls/train/seed1": "ValueError: too bad"}
    assert [found.total(state) for state in ("ok", "failed", "waiting")] == [3, 1, 6]


def test_a_result_that_the_journal_lacks_counts_as_done(tiny, make_graph, fill_store):
    graph = make_graph(tiny)
    folder = fill_store(graph)
    (folder.root / "jobs.jsonl").unlink()
    assert read_status(folder).total("ok") == len(graph.jobs)


def test_pending_jobs_are_missing(tiny, make_graph, fill_store, tmp_path):
    tiny["variants"].append({"name": "big", "dataset": "imagenet"})
    graph = make_graph(tiny, data_root=tmp_path / "nothing")
    assert read_status(fill_store(graph)).counts["train"] == Counter(ok=4, waiting=2)


def test_a_driver_at_work_is_seen(tiny, make_graph, fill_store):
    folder = fill_store(make_graph(tiny))
    assert not read_status(folder).is_running
    with locked(folder.lock_file, what="it"):
        assert read_status(folder).is_running
    assert not read_status(folder).is_running


def test_a_folder_without_a_manifest_has_no_status(tmp_path):
    assert read_status(ResultsFolder(tmp_path)) is None


def test_a_running_job_is_neither_waiting_nor_failed(begun):
    folder, train = begun
    ids = {entry["label"]: entry["id"] for entry in folder.manifest()["jobs"]}
    train("id/train/seed0", {"epochs": [{"loss": 1.0}], "of_epochs": 3})
    with (
        locked(folder.job_folder(ids["id/train/seed0"]) / ".lock", what="a job"),
        locked(folder.job_folder(ids["ls/train/seed1"]) / ".lock", what="a job that failed before"),
        locked(folder.job_folder(ids["ls/train/seed0"]) / ".lock", what="a job that is done"),
    ):
        found = read_status(folder)
    assert found.counts["train"] == Counter(ok=1, running=2, waiting=1)
    assert [*found.running] == ["id/train/seed0", "ls/train/seed1"]
    assert all(since.endswith("+00:00") for since in found.running.values())
    lines = list(status_lines(found))
    assert lines[:2] == ["tiny (default): running", "  train: 1 ok, 2 running, 1 waiting"]
    assert {"  id/train/seed0: running, epoch 1 of 3", "  ls/train/seed1: running"} <= {*lines}
    assert read_status(folder).running == {}, "looking leaves no lock behind"


@pytest.fixture
def begun(tiny, make_graph, fill_store, records_of):
    """A store with one finished, one failed and two unfinished trainings; returns it and how to go on."""
    graph = make_graph(tiny)

    def first(job):
        return records_of(job) if job.label == "ls/train/seed0" else None

    folder = fill_store(graph, first, failed=("ls/train/seed1",))
    ids = {job.label: str(job.id) for job in graph.jobs}

    def train(label, content):
        write_json(folder.job_folder(ids[label]) / HISTORY, content)

    return folder, train


def test_unfinished_trainings_say_how_far_they_are(begun):
    folder, train = begun
    for number, label in enumerate(("ls/train/seed0", "ls/train/seed1", "id/train/seed0"), 1):
        train(label, {"epochs": [{"loss": 1.0}] * number, "of_epochs": 300})
    found = read_status(folder)
    assert found.trainings == {"ls/train/seed1": Epochs(2, 300), "id/train/seed0": Epochs(3, 300)}
    lines = list(status_lines(found))
    assert "  id/train/seed0: epoch 3 of 300" in lines
    assert lines[-1] == "  ls/train/seed1: ValueError: too bad"


@pytest.mark.parametrize("content", [{}, {"epochs": []}, {"of_epochs": 3}])
def test_a_training_without_a_finished_epoch_says_nothing(begun, content):
    folder, train = begun
    train("id/train/seed0", content)
    assert read_status(folder).trainings == {}


def test_a_training_that_does_not_know_its_end_and_one_that_is_damaged(begun):
    folder, train = begun
    train("id/train/seed0", {"epochs": [{}]})
    assert "  id/train/seed0: epoch 1" in list(status_lines(read_status(folder)))
    for path in folder.root.glob("jobs/*/" + HISTORY):
        path.write_text("{")
    assert read_status(folder).trainings == {}


def test_a_driver_at_work_tells_the_time_left(tiny, make_graph, fill_store):
    folder = fill_store(make_graph(tiny))
    write_time_left(folder, Remaining(4333.0))
    assert read_status(folder).time_left is None, "the file of a run that was killed"
    with locked(folder.lock_file, what="it"):
        found = read_status(folder)
    assert next(status_lines(found)) == "tiny (default): running, time left: about 1 h 12 min"


def test_a_job_that_ends_while_it_is_looked_at_is_no_error(tmp_path):
    folder = ResultsFolder(tmp_path / "tiny" / "default")
    assert _since(folder, "train-0").startswith("20"), "its lock has gone with its end"


def test_a_job_on_a_node_that_does_not_see_the_folder_is_running(begun):
    folder, train = begun
    (name,) = (entry["id"] for entry in folder.manifest()["jobs"] if entry["label"] == "id/train/seed0")
    train("id/train/seed0", {"epochs": [{"loss": 1.0}], "of_epochs": 3})
    (folder.job_folder(name) / ALIVE).touch()
    write_json(folder.job_folder(name) / SPEC, {})
    os.utime(folder.job_folder(name) / SPEC, (1.8e9, 1.8e9))
    assert read_status(folder).running == {"id/train/seed0": "2027-01-15T08:00:00+00:00"}
