import json

import pytest

from lsbench.core.atomic import write_json, write_text
from lsbench.core.errors import StoreError
from lsbench.store.earlier import earlier_results, set_aside
from lsbench.store.results import RESULT, SPEC
from lsbench.store.trials import add_trial

JOURNALS = ("jobs.jsonl", "records.jsonl", "trials.jsonl")


def test_a_job_set_aside_leaves_the_journals_and_stays_in_the_store(tiny, make_graph, fill_store):
    graph = make_graph(tiny)
    folder = fill_store(graph)
    gone, kept = graph.jobs[0].id, graph.jobs[1].id
    for number, name in enumerate([gone, kept]):
        add_trial(folder, {"variant": "ls", "trial": number, "job_id": name})
    before = {name: (folder.root / name).read_bytes() for name in JOURNALS}
    assert set_aside(folder, [gone, "train-unknown"]) == [folder.root / "earlier" / gone / "1"]
    assert not folder.is_done(gone)
    assert gone not in folder.jobs()
    assert not [record for record in folder.records() if record["job_id"] == gone]
    for name, content in before.items():
        rest = b"".join(line for line in content.splitlines(keepends=True) if gone.encode() not in line)
        assert (folder.root / name).read_bytes() == rest
        assert len(rest) < len(content)
    assert folder.is_done(kept)
    assert json.loads((earlier_results(folder, gone)[0] / "result.json").read_text())["job"]["job_id"] == gone
    assert folder.reconcile() == 0


def test_results_set_aside_are_counted(tiny, make_graph, fill_store):
    folder = fill_store(make_graph(tiny))
    name = make_graph(tiny).jobs[0].id
    for _ in range(11):
        folder.job_folder(name).mkdir(exist_ok=True)
        set_aside(folder, [name])
    assert [path.name for path in earlier_results(folder, name)] == [str(n) for n in range(1, 12)]
    assert earlier_results(folder, "train-unknown") == []


def test_a_driver_that_is_killed_in_between_loses_nothing(tiny, make_graph, fill_store, monkeypatch):
    graph = make_graph(tiny)
    folder = fill_store(graph)
    name, jobs, records = graph.jobs[0].id, folder.jobs(), folder.records()
    monkeypatch.setattr("pathlib.Path.rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        set_aside(folder, [name])
    except KeyboardInterrupt:
        assert name not in folder.jobs()
    assert folder.reconcile() == 1
    assert folder.jobs() == jobs
    assert sorted(map(str, folder.records())) == sorted(map(str, records))


def test_the_newest_numbers_count_even_if_the_driver_died_before_the_journals(
    tiny, make_graph, fill_store, records_of, job_lines
):
    graph = make_graph(tiny)
    folder = fill_store(graph)
    job = next(job for job in graph.jobs if job.label == "ls/evaluate/seed0")
    # A result of the store is replaced without a word to the journals.
    line = {**job_lines[0](job), "started_at": "2026-01-01T00:00:00+00:00"}
    write_json(folder.job_folder(job.id) / RESULT, {"job": line, "records": records_of(job, top1=0.75)})
    set_aside(folder, [job.id])
    write_json(folder.job_folder(job.id) / RESULT, {"job": line, "records": records_of(job, top1=0.75)})
    assert folder.reconcile() == 1
    assert folder.reconcile() == 0
    assert folder.jobs()[job.id]["started_at"].startswith("2026")
    found = {r["metric"]: r["value"] for r in folder.records() if r["job_id"] == job.id}
    assert found == {"top1": 0.75, "top5": 0.9}


def test_checkpoints_that_lie_elsewhere_go_so_that_a_training_starts_from_scratch(
    tiny, make_graph, fill_store, tmp_path
):
    tiny["jobs"][0]["train"]["checkpoint_url"] = str(tmp_path / "away")
    graph = make_graph(tiny)
    folder = fill_store(graph)
    job = next(job for job in graph.jobs if job.kind == "train")
    write_text(folder.job_folder(job.id) / SPEC, job.model_dump_json())
    write_text(tmp_path / "away" / job.id / "step-000000002.pt", "state")
    write_text(tmp_path / "away" / "train-other" / "step-000000002.pt", "state")
    set_aside(folder, [job.id])
    assert [path.name for path in (tmp_path / "away").iterdir()] == ["train-other"]
    other = next(one for one in graph.jobs if one.kind == "train" and one.id != job.id)
    spec = other.model_copy(update={"spec": {"checkpoint_url": "nowhere://a"}})
    write_text(folder.job_folder(other.id) / SPEC, spec.model_dump_json())
    with pytest.raises(StoreError, match=r"nowhere://a/train-.*cannot be removed"):
        set_aside(folder, [other.id])
    assert folder.is_done(other.id)
    assert other.id in folder.jobs()
