"""A local copy of results at an address: brought, sent, and never losing what only one side has."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from lsbench.core.lock import locked
from lsbench.core.plain_warnings import LsbenchWarning
from lsbench.store import mirror as mirror_module
from lsbench.store.mirror import Mirror


@pytest.fixture
def far(tmp_path: Path) -> Path:
    folder = tmp_path / "far"
    for name in (
        "tiny/default/manifest.json",
        "tiny/default/jobs/train-1/result.json",
        "tiny/default/jobs/train-1/checkpoints/weights.pt",
        "tiny/default/jobs/train-1/checkpoints/step-000000001.pt",
        "tiny/default/cache.parquet",
        "tiny/default/.lock",
        "other/big/jobs.jsonl",
        "baselines/tiny.json",
    ):
        put(folder, name, name)
    return folder


@pytest.fixture
def create(tmp_path: Path, far: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a copy on one of several machines, each with a cache of its own."""

    def create(machine: str = "a") -> Mirror:
        monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / machine))
        return Mirror(f"file://{far}")

    return create


def put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    time.sleep(0.002)  # another time of change, on any file system


def files(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path.read_text() for path in paths}
    return {name: text for name, text in names.items() if "/." not in f"/{name}"}


LIGHT = {
    *("tiny/default/manifest.json", "tiny/default/jobs/train-1/result.json", "other/big/jobs.jsonl"),
    "baselines/tiny.json",
}


def test_everything_but_weights_checkpoints_and_caches_is_brought(create, far):
    mirror = create()
    mirror.pull()
    assert files(mirror.root).keys() == LIGHT
    assert mirror.push() == 0
    weights = mirror.root / "tiny/default/jobs/train-1/checkpoints/weights.pt"
    mirror.bring(weights)
    mirror.bring(weights.with_name("ema.pt"))
    assert weights.read_text() == mirror.name_of(weights)
    assert not weights.with_name("ema.pt").exists()
    mirror.pull("tiny/default", wants=lambda name: "step-" in name)
    assert len(files(mirror.root)) == len(LIGHT) + 2
    assert mirror.push() == 0, "nothing has changed, and what was left out is not removed there"
    assert mirror.is_there("tiny/default/jobs/train-1/checkpoints/weights.pt")


def test_only_what_has_changed_travels(create, far, monkeypatch):
    mirror, brought, sent = create(), [], []
    get, put_there = mirror.remote.get, mirror.remote.put
    monkeypatch.setattr(mirror.remote, "get", lambda name, path: brought.append(name) or get(name, path))
    monkeypatch.setattr(mirror.remote, "put", lambda path, name: sent.append(name) or put_there(path, name))
    mirror.pull()
    brought.clear()
    mirror.pull()
    put(far, "other/big/jobs.jsonl", "later")
    put(mirror.root, "tiny/default/jobs.jsonl", "one line")
    mirror.pull()
    assert brought == ["other/big/jobs.jsonl"]
    assert mirror.has_changed("tiny/default")
    assert not mirror.has_changed("other")
    assert mirror.push() == 1
    assert (sent, mirror.push()) == (["tiny/default/jobs.jsonl"], 0)
    brought.clear()
    mirror.pull()
    assert brought == [], "what was sent is not brought back"


def test_a_job_s_files_are_sent_before_its_result_and_the_journals_last(create, far, monkeypatch):
    mirror, sent = create(), []
    put_there = mirror.remote.put
    monkeypatch.setattr(mirror.remote, "put", lambda path, name: sent.append(name) or put_there(path, name))
    monkeypatch.setattr(mirror_module, "AT_A_TIME", 1)
    mirror.pull()
    new = ["jobs.jsonl", "jobs/b/result.json", "jobs/b/predictions.npz", "records.jsonl", "jobs/b/spec.json"]
    for name in new:
        put(mirror.root, f"tiny/default/{name}", name)
    mirror.push()
    stages = [name.rpartition("/")[2] for name in sent]
    assert set(stages[:2]) == {"predictions.npz", "spec.json"}
    assert stages[2] == "result.json"
    assert set(stages[3:]) == {"jobs.jsonl", "records.jsonl"}


def test_an_upload_that_fails_leaves_no_result_and_is_made_up_for(create, far, monkeypatch):
    mirror = create()
    mirror.pull()
    put(mirror.root, "tiny/default/jobs/b/result.json", "{}")
    put(mirror.root, "tiny/default/jobs/b/predictions.npz", "answers")
    with monkeypatch.context() as broken:
        broken.setattr(
            mirror.remote, "put", lambda path, name: (_ for _ in ()).throw(ConnectionError("gone"))
        )
        with pytest.raises(ConnectionError):
            mirror.push()
    assert "tiny/default/jobs/b/result.json" not in files(far)
    assert mirror.push() == 2
    assert files(far)["tiny/default/jobs/b/result.json"] == "{}"


def test_removed_files_go_on_the_other_side_too_but_only_if_they_were_removed(create, far):
    one, two = create("a"), create("b")
    for mirror in (one, two):
        mirror.pull()
    (one.root / "other/big/jobs.jsonl").unlink()
    assert one.push() == 1
    assert "other/big/jobs.jsonl" not in files(far)
    put(two.root, "other/big/notes.txt", "only here")
    two.pull()
    assert "other/big/jobs.jsonl" not in files(two.root)
    assert files(two.root)["other/big/notes.txt"] == "only here"


def test_results_that_are_no_more_at_the_address_as_a_whole_stay_in_the_copy(create, far):
    mirror = create()
    mirror.pull()
    before = files(mirror.root)
    shutil.rmtree(far / "tiny")
    with pytest.warns(LsbenchWarning, match="nothing of tiny/default is left there; its copy in .* is kept"):
        mirror.pull()
    assert files(mirror.root) == before
    mirror.pull()  # without a word
    assert mirror.push() == 2
    assert (far / "tiny/default/manifest.json").exists()


def test_a_copy_that_somebody_cleared_away_removes_nothing_there(create, far):
    mirror, before = create(), files(far)
    mirror.pull("", wants=lambda name: True)
    for name in ("tiny/default/jobs/train-1/checkpoints/weights.pt", "other/big/jobs.jsonl"):
        (mirror.root / name).unlink()
    again = create()
    again.pull()
    again.push()
    assert files(far) == before
    assert "other/big/jobs.jsonl" in files(again.root), "and it is brought again"


def test_what_a_killed_run_had_not_sent_is_ahead_unless_another_machine_went_on(create, far):
    mirror = create()
    mirror.pull()
    put(mirror.root, "other/big/jobs.jsonl", "two lines")
    create().pull()
    assert files(mirror.root)["other/big/jobs.jsonl"] == "two lines"
    put(far, "other/big/jobs.jsonl", "three lines of another machine")
    create().pull()
    assert files(mirror.root)["other/big/jobs.jsonl"] == "three lines of another machine"


def test_a_preset_that_a_run_of_this_machine_writes_is_left_alone(create, far):
    mirror = create()
    mirror.pull()
    put(mirror.root, "tiny/default/manifest.json", "mine")
    for name in ("tiny/default/manifest.json", "other/big/jobs.jsonl"):
        put(far, name, "changed there")
    with locked(mirror.root / "tiny/default/.lock", what="a run"):
        create().pull()
    assert files(mirror.root)["tiny/default/manifest.json"] == "mine"
    assert files(mirror.root)["other/big/jobs.jsonl"] == "changed there"


def test_a_damaged_index_loses_nothing(create, far):
    mirror, before = create(), files(far)
    mirror.pull()
    indexes = list(mirror._indexes.rglob("known.json"))
    for index in indexes:
        index.write_text("[1")
    assert len(indexes) == 3
    put(mirror.root, "tiny/default/manifest.json", "newer here")
    again = create()
    again.pull()
    again.push()
    assert files(far) == {**before, "tiny/default/manifest.json": "newer here"}


def test_two_machines_taking_turns_always_see_the_same_files(create, far):
    draw = random.Random(3)
    names = [f"tiny/default/jobs/{job}/{name}" for job in "abc" for name in ("x", "result.json", "log.txt")]
    machines = [create("a"), create("b")]
    for number in range(10):
        mirror, other = draw.sample(machines, 2)
        mirror.pull("tiny/default", wants=lambda name: True)
        for name in draw.sample(names, 3):
            if draw.random() < 0.3:
                (mirror.root / name).unlink(missing_ok=True)
            else:
                put(mirror.root, name, f"{number}")
        mirror.push("tiny/default")
        other.pull("tiny/default", wants=lambda name: True)
        seen = [files(folder / "tiny/default") for folder in (mirror.root, other.root, far)]
        for found in seen:
            found.pop("cache.parquet", None)
        assert seen[0] == seen[1] == seen[2]


def test_a_file_that_changes_while_it_is_sent_is_sent_again(create, far, monkeypatch):
    mirror = create()
    mirror.pull()
    name = "tiny/default/jobs/train-1/log.txt"
    put(mirror.root, name, "1")
    put_there = mirror.remote.put

    def grow(path: Path, name: str):
        sent = put_there(path, name)
        with path.open("a") as file:
            file.write("2")
        return sent

    with monkeypatch.context() as growing:
        growing.setattr(mirror.remote, "put", grow)
        mirror.push()
    assert files(far)[name] == "1"
    assert mirror.push() == 1
    assert files(far)[name] == "12"
    assert os.stat(mirror.root / name).st_size == 2
