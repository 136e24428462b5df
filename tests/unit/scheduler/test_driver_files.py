"""The driver's side of files that nodes cannot see: pieces, places, and who may write."""

from pathlib import Path

import pytest

from lsbench.core.errors import DiskFullError, StoreError
from lsbench.scheduler import driver_files
from lsbench.scheduler.driver_files import DriverFiles


@pytest.fixture
def files(tmp_path: Path) -> DriverFiles:
    job = tmp_path / "jobs/train-1"
    (job / "checkpoints").mkdir(parents=True)
    for name in ("spec.json", "log.txt", "attempts.jsonl", ".lock", "checkpoints/step-000000010.pt"):
        (job / name).write_text(name)
    (job / "checkpoints/weights.pt").write_bytes(b"w" * 10)
    return DriverFiles(str(tmp_path))


def test_a_job_is_given_its_files_and_other_jobs_what_they_may_read(files):
    assert files.begin("train-1", 1) == {
        "checkpoints/step-000000010.pt": 29,
        "checkpoints/weights.pt": 10,
        "spec.json": 9,
    }
    assert sorted(files.needed("train-1")) == ["checkpoints/weights.pt", "spec.json"]
    assert files.begin("train-2", 1) == {}


def test_a_file_appears_when_its_last_piece_has_arrived(files, tmp_path, monkeypatch):
    monkeypatch.setattr(driver_files, "PIECE", 4)
    path = tmp_path / "jobs/train-1/checkpoints/step-000000020.pt"
    for start in (0, 4, 4, 8):  # a piece that is sent again does no harm
        assert not path.exists()
        files.write(
            "train-1", 1, "checkpoints/step-000000020.pt", start, b"0123456789"[start : start + 4], 10
        )
    assert path.read_bytes() == b"0123456789"
    assert [files.read("train-1", "checkpoints/step-000000020.pt", at) for at in (0, 8, 10)] == [
        b"0123",
        b"89",
        b"",
    ]
    files.write("train-1", 1, "empty", 0, b"", 0)
    assert (tmp_path / "jobs/train-1/empty").read_bytes() == b""


def test_an_old_file_stays_whole_while_a_new_one_arrives_and_is_never_shorter(files, tmp_path):
    path = tmp_path / "jobs/train-1/checkpoints/weights.pt"
    files.write("train-1", 1, "checkpoints/weights.pt", 0, b"abc", 6)
    assert path.read_bytes() == b"w" * 10
    with pytest.raises(StoreError, match="a piece of it has not arrived"):
        files.write("train-1", 1, "checkpoints/weights.pt", 5, b"f", 6)
    assert path.read_bytes() == b"w" * 10
    files.begin("train-1", 1)  # as another part of the same gang does
    files.write("train-1", 1, "checkpoints/weights.pt", 3, b"def", 6)
    assert path.read_bytes() == b"abcdef"
    files.write("train-1", 1, "checkpoints/weights.pt", 0, b"abc", 6)
    files.begin("train-1", 2)
    assert [entry.name for entry in path.parent.iterdir() if "part" in entry.name] == []


def test_logs_grow_and_files_go(files, tmp_path):
    files.append("train-1", 1, "log.txt", b" and more")
    files.remove("train-1", 1, "checkpoints/step-000000010.pt")
    files.remove("train-1", 1, "checkpoints/step-000000010.pt")
    assert (tmp_path / "jobs/train-1/log.txt").read_text() == "log.txt and more"
    assert list(files.begin("train-1", 1)) == ["checkpoints/weights.pt", "spec.json"]


@pytest.mark.parametrize(
    ("method", "words"),
    [("begin", ()), ("write", ("a", 0, b"", 0)), ("append", ("a", b"")), ("remove", ("spec.json",))],
)
def test_only_the_newest_attempt_and_the_owner_of_the_results_may_write(files, tmp_path, method, words):
    files.begin("train-1", 5)
    with pytest.raises(StoreError, match="train-1: a newer attempt at this job is running"):
        getattr(files, method)("train-1", 4, *words)
    (tmp_path / ".lock").write_text('{"pid": 1, "host": "another"}')
    with pytest.raises(StoreError, match="another run has taken over these results"):
        getattr(files, method)("train-1", 6, *words)
    assert (tmp_path / "jobs/train-1/spec.json").exists()
    assert not (tmp_path / "jobs/train-1/a").exists()


@pytest.mark.parametrize("name", ["../train-2/result.json", "/etc/passwd", "a/../../b", "", "a/../b", "a\0b"])
def test_nothing_outside_of_the_jobs_folder_is_read_or_written(files, name):
    with pytest.raises(StoreError, match="not the name of a file in a job's folder"):
        files.write("train-1", 1, name, 0, b"", 0)
    with pytest.raises(StoreError, match="not the name of a file in a job's folder"):
        files.read("train-1", name, 0)
    with pytest.raises(StoreError, match="not the name of a file in a job's folder"):
        files.read("..", "jobs.jsonl", 0)


def test_a_full_disk_is_told_as_one(files, monkeypatch):
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(driver_files, "sync", fail)
    with pytest.raises(DiskFullError, match=r"train-1/a: no room to write it"):
        files.write("train-1", 1, "a", 0, b"abc", 3)
