import errno
import itertools
import logging
import re
import subprocess

import pytest
import torch

from lsbench.core.errors import ConfigError, DiskFullError, StoreError
from lsbench.engine.checkpoints import Checkpoints, checkpoints_of

NUMBERS = itertools.count()


@pytest.fixture(params=["folder", "memory"])
def url(request, tmp_path):
    return str(tmp_path / "made" / "here") if request.param == "folder" else f"memory://{next(NUMBERS)}/jobs"


def state(step):
    return {
        "model": {"w": torch.full((3,), float(step))},
        "progress": {"update": step, "random": (3, (1, 2), None)},
    }


def names(found):
    return [path.rsplit("/", 1)[-1] for path in found._files.ls(found._root, detail=False)]


def test_the_newest_is_found_and_the_oldest_go(url):
    found = Checkpoints(url)
    assert found.load_newest() is None
    for step in (1, 2, 10):
        found.save(step, state(step))
    assert sorted(names(found)) == ["step-000000002.pt", "step-000000010.pt"]
    newest = Checkpoints(url).load_newest()
    assert newest["progress"] == state(10)["progress"]
    assert torch.equal(newest["model"]["w"], torch.full((3,), 10.0))


@pytest.mark.parametrize("damage", [0, 1, 30, 200, -1, -40, "flip"])
def test_a_torn_newest_is_passed_over_for_the_one_before(url, damage, caplog):
    found = Checkpoints(url)
    found.save(1, state(1))
    found.save(2, state(2))
    path = found._path(2)
    whole = bytearray(found._files.cat_file(path))
    if damage == "flip":
        whole[len(whole) // 2] ^= 1
    else:
        whole = whole[:damage]
    found._files.pipe_file(path, bytes(whole))
    with caplog.at_level(logging.WARNING):
        assert found.load_newest()["progress"]["update"] == 1
    assert [r.getMessage() for r in caplog.records] == [f"{found.name_of(2)}: damaged checkpoint skipped"]
    with pytest.raises(StoreError, match=r"step-000000002\.pt: the checkpoint cannot be read"):
        found.load(2)


def test_if_all_are_damaged_they_are_named_and_nothing_starts_over(tmp_path):
    found = Checkpoints(tmp_path)
    found.save(1, state(1))
    (tmp_path / "step-000000001.pt").write_bytes(b"half")
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(StoreError) as caught:
        found.load_newest()
    assert str(caught.value) == (
        f"{tmp_path}: all checkpoints are damaged (last.pt, step-000000001.pt); restore one from a copy, "
        "or remove them to train from scratch"
    )


def test_a_damaged_one_goes_with_the_next_save_and_never_counts_as_kept(url, caplog):
    found = Checkpoints(url)
    for step in (5, 6):
        found.save(step, state(step))
    found._files.pipe_file(found._path(6), b"half")
    again = Checkpoints(url)
    assert again.newest_step() == 5
    again.save(7, state(7))
    assert again.steps() == [5, 7]
    again.save(8, state(8))
    assert again.steps() == [7, 8]


def test_a_damaged_one_that_is_written_again_is_good(url):
    found = Checkpoints(url)
    for step in (5, 6):
        found.save(step, state(step))
    found._files.pipe_file(found._path(6), b"half")
    assert found.newest_step() == 5
    found.save(6, state(6))
    assert found.newest_step() == 6


def test_of_a_finished_training_only_the_newest_valid_one_stays(url, caplog):
    found = Checkpoints(url)
    found.keep_newest()
    for step in (5, 6):
        found.save(step, state(step))
    found._files.pipe_file(found._path(6), b"half")
    Checkpoints(url).keep_newest()
    assert found.steps() == [5]
    found.save(7, state(7))
    Checkpoints(url).keep_newest()
    assert found.steps() == [7]


def test_checkpoints_that_are_all_damaged_stay_and_do_not_fail_a_finished_training(tmp_path, caplog):
    for step in (5, 6):
        (tmp_path / f"step-00000000{step}.pt").write_bytes(b"half")
    Checkpoints(tmp_path).keep_newest()
    assert len(list(tmp_path.iterdir())) == 2
    assert "all checkpoints are damaged" in caplog.text


def no_room(descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_said_and_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    found = Checkpoints(tmp_path)
    found.save(1, state(1))
    monkeypatch.setattr("os.fsync", no_room)
    with pytest.raises(DiskFullError) as caught:
        found.save(2, state(2))
    with pytest.raises(DiskFullError, match=r"probe.txt: no room"):
        found.prepare()
    monkeypatch.undo()
    assert re.fullmatch(
        rf"{tmp_path}/step-000000002.pt: no room to write it \(No space left on device, [\d.]+ MiB free\); "
        "make room and run again; earlier checkpoints are kept",
        str(caught.value),
    )
    assert names(found) == ["step-000000001.pt"]
    assert found.load_newest()["progress"]["update"] == 1


def test_a_file_system_without_room_in_the_middle_of_a_checkpoint(tmp_path, warm_python):
    """The limit of a process stands for a full disk: the system refuses what is written beyond it."""
    code = """
import resource, signal, sys, torch
from lsbench.engine.checkpoints import Checkpoints
from lsbench.scheduler.child import describe
found = Checkpoints(sys.argv[1])
found.save(1, {"w": torch.ones(1000)})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
try:
    found.save(2, {"w": torch.zeros(100_000)})
except Exception as error:
    print(describe(error))
print(found.load_newest()["w"].sum().item())
"""
    words = [warm_python, "-P", "-c", code, str(tmp_path / "a")]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    told, rest = done.stdout.splitlines()
    assert told.startswith("{'error_class': 'disk_full', ")
    assert "step-000000002.pt: no room to write it (File too large, " in told
    assert rest == "1000.0"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["step-000000001.pt"]


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    found = Checkpoints(tmp_path / "file" / "below")
    with pytest.raises(
        StoreError, match=r"below: step-000000001.pt cannot be written .*see `checkpoint_url`"
    ):
        found.save(1, state(1))
    with pytest.raises(StoreError, match="below: the place cannot be written"):
        found.prepare()


def test_preparing_a_place_leaves_only_checkpoints_in_it(url):
    found = Checkpoints(url)
    found.prepare()
    found.save(1, state(1))
    found.prepare()
    assert names(found) == ["step-000000001.pt"]


def test_halves_of_killed_processes_are_removed(tmp_path):
    found = Checkpoints(tmp_path)
    for name in (".step-000000002.pt.abcdefg1", ".weights.pt.x_123456", "weights.pt", "notes.txt"):
        (tmp_path / name).write_bytes(b"half")
    found.prepare()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "weights.pt"]


class LostError(Exception):
    """As drivers raise them: related to nothing that the standard library knows."""


@pytest.mark.parametrize(
    ("method", "act", "message"),
    [
        ("ls", lambda found: found.newest_step(), "the checkpoints cannot be listed"),
        ("cat_file", lambda found: found.newest_step(), "step-000000001.pt cannot be read"),
        ("cat_file", lambda found: found.load(1), "step-000000001.pt cannot be read"),
        ("pipe_file", lambda found: found.save(2, state(2)), "step-000000002.pt cannot be written"),
        ("pipe_file", lambda found: found.prepare(), "the place cannot be written"),
    ],
)
def test_what_a_driver_raises_is_one_line(monkeypatch, method, act, message):
    found = Checkpoints(f"memory://{next(NUMBERS)}")
    found.save(1, state(1))

    def lose(*words, **more):
        raise LostError("no\nconnection")

    monkeypatch.setattr(type(found._files), method, lose)
    with pytest.raises(StoreError) as caught:
        act(found)
    assert str(caught.value) == f"{found.url}: {message} (no connection); see `checkpoint_url`"


def test_an_object_that_has_not_arrived_whole_is_an_error(monkeypatch):
    found = Checkpoints(f"memory://{next(NUMBERS)}")
    whole = type(found._files).pipe_file
    monkeypatch.setattr(
        type(found._files), "pipe_file", lambda self, path, value: whole(self, path, value[:9])
    )
    with pytest.raises(StoreError, match=r"step-000000001.pt: 9 of \d+ bytes have arrived"):
        found.save(1, state(1))


def test_an_old_file_that_cannot_be_removed_stops_nothing(monkeypatch, caplog):
    found = Checkpoints(f"memory://{next(NUMBERS)}", keep=1)

    def refuse(self, path):
        raise PermissionError("not allowed")

    monkeypatch.setattr(type(found._files), "rm_file", refuse)
    for step in (1, 2):
        found.save(step, state(step))
    assert found.steps() == [1, 2]
    assert [r.getMessage() for r in caplog.records] == [f"{found._path(1)}: cannot be removed (not allowed)"]


def test_what_cannot_be_pickled_is_no_matter_of_the_place(url):
    with pytest.raises(Exception, match="pickle") as caught:
        Checkpoints(url).save(1, {"a": lambda: None})
    assert not isinstance(caught.value, StoreError)


@pytest.mark.parametrize("wrong", ["nothing://here", "bogus3://bucket"])
def test_an_unknown_protocol_is_one_line(wrong):
    with pytest.raises(ConfigError, match=f"checkpoint_url {wrong}: Protocol not known"):
        Checkpoints(wrong)


def test_a_missing_driver_says_what_to_install(monkeypatch):
    def url_to_fs(url):
        raise ImportError("Please install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", url_to_fs)
    with pytest.raises(
        ConfigError, match=r'checkpoint_url s3://b: Please install s3fs.*pip install "lsbench\[s3\]"'
    ):
        Checkpoints("s3://b")


def test_a_jobs_checkpoints_lie_in_its_folder_or_under_its_id(tmp_path):
    assert checkpoints_of(tmp_path / "train-1").url == str(tmp_path / "train-1" / "checkpoints")
    assert checkpoints_of(tmp_path / "train-1", "memory://b/p/").url == "memory://b/p/train-1"


def test_a_relative_place_is_refused_with_the_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"checkpoint_url a/b: is a relative path.*'{tmp_path}/a/b'"):
        checkpoints_of(tmp_path / "train-1", "a/b")
    assert checkpoints_of(tmp_path / "train-1", f"{tmp_path}/a/").url == f"{tmp_path}/a/train-1"
    assert checkpoints_of(tmp_path / "train-1", "~/a").url == "~/a/train-1"


def test_a_file_url_is_a_folder(tmp_path):
    found = checkpoints_of(tmp_path / "train-1", tmp_path.as_uri())
    found.save(1, state(1))
    assert [path.name for path in (tmp_path / "train-1").iterdir()] == ["step-000000001.pt"]
    assert Checkpoints(tmp_path / "train-1").newest_step() == 1


def test_what_a_version_without_seals_left_is_read_until_there_is_better(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "last.pt")
    found = Checkpoints(tmp_path)
    assert found.load_newest() == {"epoch": 3}
    found.save(1, state(1))
    assert found.load_newest()["progress"]["update"] == 1


def test_no_code_in_a_checkpoint_is_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    found = Checkpoints(tmp_path)
    found.save(1, {"model": Evil()})
    with pytest.raises(StoreError, match="cannot be read"):
        found.load(1)
