import json

from lsbench.store.earlier import earlier_results, set_aside
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
