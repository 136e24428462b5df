import json

import pytest

from lsbench.core.atomic import write_json
from lsbench.search.trial import TrialRun, TrialWork
from lsbench.store.results import ATTEMPTS, RESULT, SPEC
from lsbench.store.trials import FAILURE, add_epoch, read_schedule
from lsbench.suite.trials import templates


def event(epoch, epochs=3, **more):
    return {"ev": "epoch", "epoch": epoch, "epochs": epochs, "val_top1": epoch / 10, "loss": 1.0, **more}


class FakeChild:
    """Starts nothing: each start gives the next list of events, and the last one leaves a result."""

    def __init__(self, folder, *runs):
        self.folder, self.runs, self.requests, self.closed = folder, list(runs), [], 0

    def __call__(self, request, timeout_s):
        self.requests.append(request)
        try:
            for found in self.runs.pop(0):
                if found == "result":
                    write_json(self.folder / RESULT, {})
                    yield {"ev": "end", "ok": True}
                else:
                    yield found
        finally:
            self.closed += 1


@pytest.fixture
def create_run(tiny, make_graph, tmp_path):
    def create(algorithm="asha", **more):
        tiny["jobs"][0]["train"]["epochs"] = 3
        space = {"lr": {"uniform": [0.001, 0.01]}}
        tiny["search"] = {"space": space, "budget": {"trials": 4}, "algorithm": algorithm}
        graph = make_graph(tiny)
        template = templates(graph, 0)["ls"].model_dump_json()
        search = graph.suite.search.model_dump(mode="json")
        work = TrialWork(template, search, str(tmp_path / "store"), 2, {"lr": 0.004}, **more)
        run = TrialRun(work)
        run.folder.mkdir(parents=True)
        return run

    return create


def epochs_of(figures):
    return [(one["epoch"], one.get("val_top1")) for one in figures]


def test_a_trial_is_an_ordinary_job_whose_epochs_are_told(create_run):
    run = create_run()
    child = FakeChild(run.folder, [event(1), {"ev": "step"}, event(2), event(3), "result"])
    assert epochs_of(run.epochs(child)) == [(1, 0.1), (2, 0.2), (3, 0.3)]
    spec = json.loads((run.folder / SPEC).read_text())
    assert (spec["id"], spec["spec"]["lr"]) == (run.folder.name, 0.004)
    assert child.requests[0]["keeps_epochs"] is True


def test_the_last_epoch_is_told_only_when_the_result_is_there(create_run):
    run = create_run()
    events = run.epochs(FakeChild(run.folder, [event(1), event(2), event(3), "result"]))
    assert [next(events)["epoch"], next(events)["epoch"]] == [1, 2]
    assert not run.is_done
    assert next(events)["epoch"] == 3
    assert run.is_done


def test_stopping_a_trial_ends_its_child(create_run):
    run = create_run()
    child = FakeChild(run.folder, [event(1), event(2), "result"])
    events = run.epochs(child)
    next(events)
    events.close()
    assert child.closed == 1
    assert not run.is_done


def test_epochs_of_an_earlier_run_are_told_first(create_run):
    run = create_run()
    add_epoch(run.folder, event(1, val_top1=0.7))
    child = FakeChild(run.folder, [event(2), event(3), "result"])
    assert epochs_of(run.epochs(child)) == [(1, 0.7), (2, 0.2), (3, 0.3)]


def test_a_run_killed_between_its_last_epoch_and_its_result_tells_it_once(create_run):
    run = create_run()
    for epoch in (1, 2, 3):
        add_epoch(run.folder, event(epoch))
    assert epochs_of(run.epochs(FakeChild(run.folder, ["result"]))) == [(1, 0.1), (2, 0.2), (3, 0.3)]


@pytest.mark.parametrize("is_done", [True, False])
def test_what_has_ended_is_told_and_starts_nothing(create_run, is_done):
    run = create_run(is_over=not is_done)
    add_epoch(run.folder, event(1))
    if is_done:
        write_json(run.folder / RESULT, {})
    child = FakeChild(run.folder)
    assert epochs_of(run.epochs(child)) == [(1, 0.1)]
    assert child.requests == []


def test_an_epoch_without_the_metric_has_no_figure(create_run):
    run = create_run()
    child = FakeChild(run.folder, [event(1, val_top1=None), event(2, val_top1=float("nan")), "result"])
    assert epochs_of(run.epochs(child)) == [(1, None), (2, None)]


def test_a_lost_child_is_started_again_and_an_error_of_the_job_is_kept(create_run):
    run = create_run()
    lost = {"ev": "end", "ok": False, "error_class": "worker_lost", "message": "gone"}
    diverged = {"ev": "end", "ok": False, "error_class": "diverged", "message": "loss is nan"}
    child = FakeChild(run.folder, [event(1), lost], [event(2), diverged])
    assert epochs_of(run.epochs(child)) == [(1, 0.1), (2, 0.2)]
    failure = json.loads((run.folder / FAILURE).read_text())
    assert failure == {"error_class": "diverged", "message": "loss is nan"}
    assert "worker_lost: gone" in (run.folder / ATTEMPTS).read_text()


def test_retries_come_to_an_end(create_run):
    run = create_run()
    lost = {"ev": "end", "ok": True}
    child = FakeChild(run.folder, *[[lost]] * 5)
    assert list(run.epochs(child)) == []
    assert len(child.requests) == 3
    assert json.loads((run.folder / FAILURE).read_text())["error_class"] == "worker_lost"


def test_a_member_of_a_population_goes_on_from_another_ones_weights(create_run):
    run = create_run("pbt")
    (run.folder / "checkpoints").mkdir()
    (run.folder / "checkpoints" / "step-1.pt").write_text("own")
    snapshot = run.folder.parent / "other"
    snapshot.mkdir()
    (snapshot / "step-2.pt").write_text("other")
    run.take_over(snapshot, 0, 2)
    assert [(p.name, p.read_text()) for p in (run.folder / "checkpoints").iterdir()] == [
        ("step-2.pt", "other")
    ]
    assert read_schedule(run.folder) == [{"epoch": 2, "from_trial": 0, "settings": {"lr": 0.004}}]


def test_snapshots_stay_as_they_were_and_only_a_few_are_kept(create_run):
    run = create_run("pbt")
    (run.folder / "checkpoints").mkdir()
    for epoch in range(1, 6):
        (run.folder / "checkpoints" / "step.pt").write_text(str(epoch))
        run.keep_snapshot(epoch)
    found = {path.parent.name: path.read_text() for path in run.folder.glob("snapshots/*/step.pt")}
    assert found == {"epoch-00003": "3", "epoch-00004": "4", "epoch-00005": "5"}


def test_of_a_population_only_the_newest_epoch_is_told(create_run):
    run = create_run("pbt", is_over=True)
    for epoch in (1, 2):
        add_epoch(run.folder, event(epoch))
    assert epochs_of(run.epochs(FakeChild(run.folder))) == [(2, 0.2)]
    assert epochs_of(run.epochs(FakeChild(run.folder), tells_past=False)) == []
