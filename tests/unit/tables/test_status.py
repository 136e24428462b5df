from collections import Counter

from lsbench.store.lock import locked
from lsbench.store.results import ResultsFolder
from lsbench.tables.status import read_status


def test_every_expected_job_is_counted(tiny, make_graph, fill_store, records_of):
    graph = make_graph(tiny)

    def only_train(job):
        return records_of(job) if job.kind == "train" else None

    found = read_status(fill_store(graph, only_train, failed=("ls/train/seed1",)))
    assert (found.suite, found.preset) == ("tiny", "default")
    assert found.counts == {
        "train": Counter(ok=3, failed=1),
        "evaluate": Counter(missing=4),
        "profile": Counter(missing=2),
    }
    assert found.errors == {"ls/train/seed1": "ValueError: too bad"}
    assert [found.total(state) for state in ("ok", "failed", "missing")] == [3, 1, 6]


def test_a_result_that_the_journal_lacks_counts_as_done(tiny, make_graph, fill_store):
    graph = make_graph(tiny)
    folder = fill_store(graph)
    (folder.root / "jobs.jsonl").unlink()
    assert read_status(folder).total("ok") == len(graph.jobs)


def test_pending_jobs_are_missing(tiny, make_graph, fill_store, tmp_path):
    tiny["variants"].append({"name": "big", "dataset": "imagenet"})
    graph = make_graph(tiny, data_root=tmp_path / "nothing")
    assert read_status(fill_store(graph)).counts["train"] == Counter(ok=4, missing=2)


def test_a_driver_at_work_is_seen(tiny, make_graph, fill_store):
    folder = fill_store(make_graph(tiny))
    assert not read_status(folder).is_running
    with locked(folder.lock_file, what="it"):
        assert read_status(folder).is_running
    assert not read_status(folder).is_running


def test_a_folder_without_a_manifest_has_no_status(tmp_path):
    assert read_status(ResultsFolder(tmp_path)) is None
