import json
import os
from dataclasses import replace

import pytest

from lsbench.core.atomic import write_text
from lsbench.core.errors import StoreError
from lsbench.core.lock import locked
from lsbench.scheduler.run import write_manifest
from lsbench.store import cleaning
from lsbench.store.cleaning import REMOVED, Waste, find_removable, remove, with_rechecks
from lsbench.store.results import SPEC, ResultsFolder

STEP, WEIGHTS, EMA = "checkpoints/step-000000002.pt", "checkpoints/weights.pt", "checkpoints/ema.pt"


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph(tiny)


@pytest.fixture
def fill(fill_store):
    """Fill a store as a run does: settings in every folder, weights and checkpoints of trainings."""

    def write(graph, records=None, **more):
        folder = fill_store(graph, **({} if records is None else {"records": records}), **more)
        for job in graph.by_id().values():
            place = folder.job_folder(job.id)
            write_text(place / SPEC, job.model_dump_json())
            if job.kind == "train":
                for name in (STEP, WEIGHTS):
                    write_text(place / name, name)
        return folder

    return write


def job(graph, label):
    return next(one for one in graph.jobs if one.label == label)


def paths(folder, waste=None):
    return {one.path for one in find_removable(folder) if waste in (None, one.waste)}


def content(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != ".lock"}


def test_checkpoints_of_finished_trainings_go_and_nothing_else(graph, fill):
    folder = fill(graph)
    (folder.root / "cache.parquet").write_text("derived")
    (folder.root / "gate_history.parquet").write_text("the past nights")
    trainings = [folder.job_folder(one.id) for one in graph.jobs if one.kind == "train"]
    gone = {*(place / STEP for place in trainings), folder.root / "cache.parquet"}
    assert paths(folder) == gone
    before = content(folder.root)
    removed = remove(folder)
    assert content(folder.root) == {path: text for path, text in before.items() if path not in gone}
    assert sum(one.size for one in removed) == sum(len(before[path]) for path in gone)
    assert find_removable(folder) == remove(folder) == []


@pytest.mark.parametrize("weights", ["missing", "empty", "without average"])
def test_without_its_last_weights_a_training_keeps_its_checkpoints(graph, fill, weights):
    folder = fill(graph)
    one = job(graph, "ls/train/seed0")
    place = folder.job_folder(one.id)
    if weights == "missing":
        (place / WEIGHTS).unlink()
    elif weights == "empty":
        (place / WEIGHTS).write_text("")
    else:
        write_text(
            place / SPEC, one.model_copy(update={"spec": {**one.spec, "ema_decay": 0.9}}).model_dump_json()
        )
    assert place / STEP not in paths(folder)
    if weights == "without average":
        write_text(place / EMA, "average")
        assert place / STEP in paths(folder)


def test_an_unfinished_training_keeps_its_checkpoints(graph, fill, records_of):
    folder = fill(graph, lambda one: None if one.label == "ls/train/seed0" else records_of(one))
    place = folder.job_folder(job(graph, "ls/train/seed0").id)
    assert place / STEP not in paths(folder)
    write_manifest(replace(graph, jobs=graph.jobs[1:]), folder)
    assert place not in paths(folder), "not even if the suite no longer expects it"


def test_folders_of_stale_jobs_go_and_their_numbers_stay(graph, fill):
    folder = fill(graph)
    stale = [one for one in graph.jobs if one.variant.name == "ls"]
    kept = tuple(one for one in graph.jobs if one.variant.name != "ls")
    write_manifest(replace(graph, jobs=kept), folder)
    places = {folder.job_folder(one.id) for one in stale}
    assert paths(folder, Waste.JOBS) == places
    labels = {one.label for one in find_removable(folder) if one.waste is Waste.JOBS}
    assert labels == {one.label for one in stale}
    before = {
        name: (folder.root / name).read_text() for name in ("jobs.jsonl", "records.jsonl", "manifest.json")
    }
    remove(folder)
    assert not any(place.exists() for place in places)
    assert {name: (folder.root / name).read_text() for name in before} == before
    assert all(folder.is_done(one.id) for one in kept)
    assert not (folder.root / REMOVED).exists()


def test_a_number_that_only_a_stale_folder_holds_reaches_the_journal_first(graph, fill):
    folder = fill(graph)
    one = job(graph, "ls/profile")
    for name in ("jobs.jsonl", "records.jsonl"):
        lines = (folder.root / name).read_text().splitlines(keepends=True)
        (folder.root / name).write_text("".join(line for line in lines if one.id not in line))
    write_manifest(replace(graph, jobs=tuple(other for other in graph.jobs if other.id != one.id)), folder)
    remove(folder)
    assert folder.jobs()[one.id]["status"] == "ok"
    assert {record["metric"] for record in folder.records() if record["job_id"] == one.id} >= {
        "params",
        "macs",
    }


def test_jobs_whose_data_is_absent_now_are_not_stale(graph, fill):
    folder = fill(graph)
    absent = tuple(
        one.model_copy(update={"id": None}) if one.variant.name == "ls" else one for one in graph.jobs
    )
    write_manifest(replace(graph, jobs=absent), folder)
    assert paths(folder, Waste.JOBS) == set()


def test_what_is_no_job_is_left_alone(graph, fill):
    folder = fill(graph)
    write_text(folder.root / "jobs" / "notes" / "text.txt", "mine")
    write_text(folder.root / "jobs" / "readme", "mine")
    assert paths(folder, Waste.JOBS) == set()


def test_links_are_not_followed_and_what_lies_outside_stays(graph, fill, tmp_path):
    folder = fill(graph)
    outside = tmp_path / "outside"
    for name in (STEP, WEIGHTS, "result.json", SPEC, "cache.parquet", "comparisons_v1.parquet"):
        write_text(outside / name, "{}")
    place = folder.job_folder(job(graph, "ls/train/seed0").id)
    for path in (place / "checkpoints").iterdir():
        path.unlink()
    (place / "checkpoints").rmdir()
    (place / "checkpoints").symlink_to(outside / "checkpoints")
    (folder.root / "jobs" / "train-stale").symlink_to(outside)
    (folder.root / "cache.parquet").symlink_to(outside / "cache.parquet")
    other = folder.job_folder(job(graph, "ls/train/seed1").id)
    (other / STEP).unlink()
    (other / STEP).symlink_to(outside / STEP)
    before = content(outside)
    found = paths(folder)
    assert not any(place in path.parents or other in path.parents for path in found)
    remove(folder)
    assert content(outside) == before
    assert (folder.root / "jobs" / "train-stale").is_symlink()


@pytest.mark.parametrize("link", ["suite", "preset", "jobs", REMOVED])
def test_a_results_folder_behind_a_link_is_left_alone(graph, fill, tmp_path, link):
    folder = fill(graph)
    path = {
        "suite": folder.root.parent,
        "preset": folder.root,
        "jobs": folder.root / "jobs",
        REMOVED: folder.root / REMOVED,
    }[link]
    away = tmp_path / "away"
    if link == REMOVED:
        write_text(away / "train-1" / "result.json", "{}")
        write_manifest(replace(graph, jobs=graph.jobs[1:]), folder)
    else:
        os.rename(path, away)
    path.symlink_to(away)
    before = content(away)
    if link == REMOVED:
        with pytest.raises(StoreError, match="is a link"):
            remove(folder)
    else:
        assert [with_rechecks(folder), remove(folder)] == [[folder], []]
    assert content(away) == before


def test_what_a_run_or_a_job_holds_is_left_alone(graph, fill):
    folder = fill(graph)
    one = job(graph, "ls/train/seed0")
    with locked(folder.job_lock_file(one.id), what="job"):
        assert folder.job_folder(one.id) / STEP not in paths(folder)
    before = content(folder.root)
    with locked(folder.lock_file, what="run"), pytest.raises(StoreError, match="in use by process"):
        remove(folder)
    assert content(folder.root) == before


@pytest.mark.parametrize("calls", range(1, 6))
def test_an_interruption_at_any_point_loses_nothing_and_the_next_one_goes_on(graph, fill, monkeypatch, calls):
    folder = fill(graph)
    write_manifest(replace(graph, jobs=tuple(o for o in graph.jobs if o.variant.name != "ls")), folder)
    left = calls

    def unlink(path, *more, **options):
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        return real(path, *more, **options)

    real = os.unlink
    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(KeyboardInterrupt):
        remove(folder)
    monkeypatch.undo()
    for place in (folder.root / "jobs").iterdir():
        if (place / STEP).parent.exists():
            assert (place / WEIGHTS).exists(), "a job is whole or gone"
        assert (place / "result.json").exists()
        assert (place / SPEC).exists()
    records = len(folder.records())
    remove(folder)
    assert find_removable(folder) == []
    assert len(folder.records()) == records
    assert not (folder.root / REMOVED).exists()


def test_second_measurements_are_cleaned_as_results_of_their_own(graph, fill):
    folder = fill(graph)
    again = ResultsFolder(folder.root / "recheck-1")
    again.create()
    write_manifest(graph, again)
    need = job(graph, "ls/train/seed0").id
    again.job_folder(need).symlink_to(folder.job_folder(need))
    write_text(again.root / "cache.parquet", "derived")
    assert [one.root for one in with_rechecks(folder)] == [folder.root, again.root]
    assert paths(again) == {again.root / "cache.parquet"}


def test_without_a_manifest_nothing_is_known_to_be_stale(graph, fill):
    folder = fill(graph)
    (folder.root / "manifest.json").unlink()
    assert find_removable(folder) == []


def test_what_cannot_be_removed_is_said(graph, fill, monkeypatch):
    folder = fill(graph)
    monkeypatch.setattr(
        cleaning, "_remove", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Not yours"))
    )
    with pytest.raises(StoreError, match=r"step-000000002\.pt: cannot be removed \(Not yours\)"):
        remove(folder)


def test_snapshots_of_a_finished_trial_go_with_its_checkpoints(graph, fill):
    folder = fill(graph)
    place = folder.job_folder(job(graph, "ls/train/seed0").id)
    write_text(place / "snapshots" / "epoch-00001" / "step-000000001.pt", "copy")
    assert place / "snapshots" in paths(folder, Waste.CHECKPOINTS)
    remove(folder)
    assert not (place / "snapshots").exists()
    assert (place / WEIGHTS).exists()
    assert json.loads((place / "result.json").read_text())
