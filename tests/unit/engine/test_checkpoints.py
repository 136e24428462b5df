import errno
import itertools
import logging

import pytest
import torch

from lsbench.core.errors import ConfigError, DiskFullError, StoreError
from lsbench.engine import checkpoints as module
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
    assert [r.getMessage() for r in caplog.records] == [f"{found.name_of(2)}: damaged checkpoint passed over"]
    with pytest.raises(StoreError, match=r"step-000000002\.pt: the checkpoint cannot be read"):
        found.load(2)


def test_if_all_are_damaged_there_is_none(tmp_path, caplog):
    found = Checkpoints(tmp_path)
    found.save(1, state(1))
    (tmp_path / "step-000000001.pt").write_bytes(b"half")
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04 half a file")
    assert found.load_newest() is None
    assert len(caplog.records) == 2


def test_a_full_disk_is_said_and_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    found = Checkpoints(tmp_path)
    found.save(1, state(1))

    def fsync(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(
        DiskFullError, match=r"step-000000002.pt: no room for a checkpoint of 0.0 MiB \(No space.*free"
    ):
        found.save(2, state(2))
    monkeypatch.undo()
    assert names(found) == ["step-000000001.pt"]
    assert found.load_newest()["progress"]["update"] == 1


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the checkpoint cannot be written"):
        Checkpoints(tmp_path / "file" / "below").save(1, state(1))


@pytest.mark.parametrize("wrong", ["nothing://here", "bogus3://bucket"])
def test_an_unknown_protocol_is_one_line(wrong):
    with pytest.raises(ConfigError, match=f"checkpoint_url {wrong}: Protocol not known"):
        Checkpoints(wrong)


def test_a_missing_driver_says_what_to_install(monkeypatch):
    def url_to_fs(url):
        raise ImportError("Please install s3fs to access S3")

    monkeypatch.setattr(module.fsspec.core, "url_to_fs", url_to_fs)
    with pytest.raises(
        ConfigError, match=r'checkpoint_url s3://b: Please install s3fs.*pip install "lsbench\[s3\]"'
    ):
        Checkpoints("s3://b")


def test_a_jobs_checkpoints_lie_in_its_folder_or_under_its_id(tmp_path):
    assert checkpoints_of(tmp_path / "train-1").url == str(tmp_path / "train-1" / "checkpoints")
    assert checkpoints_of(tmp_path / "train-1", "memory://b/p/").url == "memory://b/p/train-1"


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
