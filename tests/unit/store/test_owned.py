"""Results by folder or address: opened, owned by one writer, sent all the while, and never lost."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from lsbench.core.errors import ConfigError, StoreError
from lsbench.core.next_command import near
from lsbench.store import owned as module
from lsbench.store.mirror import Mirror
from lsbench.store.owned import brought, complete, owned, results_at, send_changes
from lsbench.store.remote_owner import OWNER, RemoteOwner
from lsbench.store.results import ResultsFolder

PLACE = "tiny/default"


@pytest.fixture
def far(tmp_path: Path) -> Path:
    folder = tmp_path / "far"
    for name in (
        *("manifest.json", "jobs/train-1/result.json", "jobs/train-1/checkpoints/weights.pt"),
        *("jobs/train-1/checkpoints/step-000000009.pt", "jobs/train-2/checkpoints/step-000000005.pt"),
    ):
        path = folder / PLACE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


@pytest.fixture
def folder(far: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ResultsFolder:
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    for name in ("EVERY_S", "RETRY_S"):
        monkeypatch.setattr(module, name, 0.002)
    monkeypatch.setattr(module, "SHARE", 0)
    monkeypatch.setattr(module, "_mirrors", {})
    return ResultsFolder(results_at(f"file://{far}/") / PLACE)


def mirror() -> Mirror:
    (found,) = module._mirrors.values()
    return found


def until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_folder_is_itself_and_an_address_its_copy(folder, far, tmp_path):
    assert results_at(tmp_path) == tmp_path
    assert (folder.root / "manifest.json").read_text() == "manifest.json"
    assert near(folder.root) == f"file://{far}/{PLACE}"
    assert near(folder.root.parents[1]) == f"file://{far}"
    assert results_at(f"file://{far}") == folder.root.parents[1]


@pytest.mark.parametrize(
    "text",
    [
        "s3://",
        "s3:///",
        "s3:/bucket/x",
        "://x",
        "file://",
        "memory://",
        "memory://x",
        "http://host/x",
        "https://h/x",
    ],
)
def test_an_address_that_cannot_keep_results_is_refused_and_makes_no_folder(text, tmp_path, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^--results .*; give e\.g\. s3://bucket/path, or a folder$"):
        results_at(text)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_may_have_a_colon_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s3:").mkdir()
    for name in ("s3:/x", "s3:", "a/b:/c", "at 12:30"):
        assert results_at(name) == Path(name)


def test_a_plain_folder_is_locked_and_nothing_more(tmp_path):
    plain = ResultsFolder(tmp_path / PLACE)
    with owned(plain), pytest.raises(StoreError, match="is in use by process"), owned(plain):
        raise AssertionError
    with owned(plain):
        assert [path.name for path in plain.root.iterdir()] == [".lock"]
    assert brought(plain.root / "x") == plain.root / "x"
    complete(plain)
    send_changes()


def test_a_run_finds_what_it_may_need_and_sends_all_the_while(folder, far):
    weights = folder.root / "jobs/train-1/checkpoints/weights.pt"
    assert not weights.exists()
    with owned(folder):
        assert weights.exists()
        assert (folder.root / "jobs/train-2/checkpoints/step-000000005.pt").exists()
        assert not weights.with_name("step-000000009.pt").exists(), "its training has ended"
        assert (far / PLACE / OWNER).exists()
        (folder.root / "jobs/train-2/checkpoints/step-000000006.pt").write_text("six")
        (folder.root / "jobs.jsonl").write_text("line")
        until((far / PLACE / "jobs/train-2/checkpoints/step-000000006.pt").exists)
        assert not (far / PLACE / "jobs.jsonl").exists(), "journals are sent more rarely"
        (folder.root / "jobs/train-2/result.json").write_text("{}")
    assert (far / PLACE / "jobs.jsonl").read_text() == "line"
    assert (far / PLACE / "jobs/train-2/result.json").exists()
    assert not (far / PLACE / OWNER).exists()
    assert not list(far.rglob(".lock"))


def test_a_second_driver_elsewhere_is_refused_before_it_does_anything(folder, far, monkeypatch, tmp_path):
    with owned(folder):
        module._mirrors.clear()
        monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "another machine"))
        elsewhere = ResultsFolder(results_at(f"file://{far}") / PLACE)
        assert elsewhere.root != folder.root
        with pytest.raises(StoreError, match=r"tiny/default are in use by process"), owned(elsewhere):
            raise AssertionError
        assert (far / PLACE / OWNER).exists()


def test_a_run_that_has_lost_its_results_ends_and_keeps_what_it_has(folder, far, monkeypatch):
    taken_over, renew = threading.Event(), RemoteOwner.renew
    monkeypatch.setattr(module, "RENEW_S", 0.002)
    monkeypatch.setattr(module, "EVERY_S", 60)
    monkeypatch.setattr(RemoteOwner, "renew", lambda self: taken_over.wait() and renew(self))

    def lose() -> None:
        with owned(folder):
            (folder.root / "jobs/train-2/result.json").write_text("{}")
            (far / PLACE / OWNER).unlink()
            RemoteOwner(mirror().remote, PLACE, "another").take()
            taken_over.set()
            until(lambda: False)

    with pytest.raises(StoreError, match="another run has taken over these results") as raised:
        lose()
    assert str(folder.root) in str(raised.value)
    assert (folder.root / "jobs/train-2/result.json").exists()
    assert not (far / PLACE / "jobs/train-2/result.json").exists(), "they are another run's now"
    assert (far / PLACE / OWNER).exists()


def test_an_address_out_of_reach_for_a_while_costs_nothing(folder, far, monkeypatch, capsys):
    calls, heard = [], []
    put = mirror().remote.put
    monkeypatch.setattr(module, "warn", heard.append)

    def fail(path: Path, name: str) -> None:
        calls.append(name)
        raise StoreError("out of reach")

    with owned(folder):
        with monkeypatch.context() as broken:
            broken.setattr(mirror().remote, "put", fail)
            (folder.root / "jobs/train-2/result.json").write_text("{}")
            until(lambda: len(calls) > 2)
        mirror().remote.put = put
    assert heard == ["out of reach; the run goes on, and sends its results later"]
    assert (far / PLACE / "jobs/train-2/result.json").exists()


def test_what_cannot_be_sent_in_the_end_is_kept_and_sent_by_the_next_command(folder, far, monkeypatch):
    def fail(path: Path, name: str) -> None:
        raise StoreError("out of reach")

    monkeypatch.setattr(module, "warn", lambda line: None)
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)

    def run() -> None:
        with owned(folder):
            (folder.root / "jobs/train-2/result.json").write_text("{}")

    with monkeypatch.context() as broken:
        broken.setattr(mirror().remote, "put", fail)
        with pytest.raises(
            StoreError, match=r"out of reach; all is kept in .*, and the same command sends it"
        ):
            run()
    module._mirrors.clear()
    results_at(f"file://{far}")
    send_changes()
    assert (far / PLACE / "jobs/train-2/result.json").read_text() == "{}"


def test_an_error_in_the_block_is_passed_on_after_everything_is_sent(folder, far):
    def fail() -> None:
        with owned(folder):
            (folder.root / "jobs.jsonl").write_text("line")
            raise ValueError("of the run")

    with pytest.raises(ValueError, match="of the run"):
        fail()
    assert (far / PLACE / "jobs.jsonl").exists()
    assert not (far / PLACE / OWNER).exists()


def test_a_verb_sends_what_it_wrote_unless_a_run_is_writing_there(folder, far):
    (folder.root / "figures").mkdir()
    (folder.root / "figures/one.svg").write_text("<svg/>")
    (folder.root.parents[1] / "baselines").mkdir()
    (folder.root.parents[1] / "baselines/tiny.json").write_text("{}")
    (far / PLACE / OWNER).write_text("{}")
    send_changes()
    assert (far / "baselines/tiny.json").exists()
    assert not (far / PLACE / "figures").exists()
    (far / PLACE / OWNER).unlink()
    results_at(f"file://{far}")
    send_changes()
    assert (far / PLACE / "figures/one.svg").exists()


def test_left_out_files_are_brought_one_by_one_or_all(folder):
    weights = folder.root / "jobs/train-1/checkpoints/weights.pt"
    assert brought(weights).read_text() == "jobs/train-1/checkpoints/weights.pt"
    assert not brought(weights.with_name("ema.pt")).exists()
    complete(folder)
    assert weights.with_name("step-000000009.pt").exists()
