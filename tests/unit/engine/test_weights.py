import errno
import os

import pytest
import torch

from lsbench.core.errors import DiskFullError
from lsbench.engine.weights import load, save


@pytest.fixture
def state():
    return {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2), "n": torch.tensor(3)}


def test_what_is_saved_is_loaded(state, tmp_path):
    path = tmp_path / "checkpoints" / "last.pt"
    save(path, {"model": state, "epoch": 3, "history": [{"loss": 0.5}]})
    found = load(path)
    assert found["epoch"] == 3
    assert found["history"] == [{"loss": 0.5}]
    assert all(torch.equal(found["model"][name], tensor) for name, tensor in state.items())


def test_an_absent_or_torn_checkpoint_is_none_at_every_point(state, tmp_path):
    path = tmp_path / "last.pt"
    assert load(path) is None
    save(path, {"model": state})
    whole = path.read_bytes()
    for cut in range(0, len(whole) - 1, max(1, len(whole) // 40)):
        path.write_bytes(whole[:cut])
        assert load(path) is None


def test_the_stump_of_a_large_file_is_none(tmp_path):
    path = tmp_path / "last.pt"
    save(path, {str(number): torch.zeros(2000) for number in range(700)})
    path.write_bytes(path.read_bytes()[:5000])
    assert load(path) is None


def test_a_full_disk_is_told_and_keeps_the_old_weights(tmp_path, monkeypatch):
    path = tmp_path / "weights.pt"
    save(path, {"a": torch.zeros(2)})

    def fsync(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(DiskFullError, match=r"weights.pt: no room to write it \(No space .* free"):
        save(path, {"a": torch.ones(2)})
    assert torch.equal(load(path)["a"], torch.zeros(2))


class Evil:
    def __reduce__(self):
        return os.putenv, ("LSBENCH_EVIL", "1")


def test_no_code_in_a_checkpoint_is_run(tmp_path):
    path = tmp_path / "last.pt"
    torch.save({"model": Evil()}, path)
    assert load(path) is None


def test_a_failed_save_keeps_the_old_checkpoint(state, tmp_path):
    path = tmp_path / "last.pt"
    save(path, {"epoch": 1})
    with pytest.raises(Exception, match="pickle"):
        save(path, {"epoch": lambda: None})
    assert load(path) == {"epoch": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]
