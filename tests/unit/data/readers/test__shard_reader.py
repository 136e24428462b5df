import pickle

import pytest

from lsbench.data.readers import _shard_reader as shard_reader
from lsbench.data.readers._shard_index import Member
from lsbench.data.readers._shard_reader import ShardReader


@pytest.fixture
def reader(tmp_path):
    """Three files of ten bytes, with one image of two bytes each."""
    shards = [tmp_path / f"{number}.tar" for number in range(3)]
    for number, shard in enumerate(shards):
        shard.write_bytes(bytes(range(10 * number, 10 * number + 10)))
    return ShardReader(shards, [[Member("n1", f"n1/{i}.png", i + 4, 2)] for i in range(3)], [5, 6, 7])


def test_images_are_read_in_any_order(reader):
    assert len(reader) == 3
    for index in (2, 0, 1, 2):
        file, target = reader[index]
        assert list(file.read()) == [11 * index + 4, 11 * index + 5]
        assert target == 5 + index


def test_names(reader, tmp_path):
    assert reader.filename(1) == "n1/1.png"
    assert reader.filename(1, basename=True) == "1.png"
    assert reader.filename(1, absolute=True) == f"{tmp_path}/1.tar/n1/1.png"


def test_few_shards_are_open_at_a_time(reader, monkeypatch):
    monkeypatch.setattr(shard_reader, "MOST_OPEN", 2)
    for index in (0, 1, 2, 0):
        reader[index]
    assert len(reader._files) == 2


def test_a_worker_opens_its_own_files(reader):
    reader[0]
    copy = pickle.loads(pickle.dumps(reader))
    assert copy._files == {}
    assert copy[0][0].read() == reader[0][0].read()


def test_a_shortened_shard_is_an_error(reader, tmp_path):
    (tmp_path / "1.tar").write_bytes(b"123456")
    with pytest.raises(OSError, match="ended early"):
        reader[1]
