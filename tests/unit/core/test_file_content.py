import hashlib
import os
import time

import pytest

from lsbench.core import file_content
from lsbench.core.errors import DataError
from lsbench.core.file_content import changed_at, content_of, local_path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"one")
    os.utime(path, (1e9, 1e9))
    return path


def test_the_content_of_a_file_is_the_hash_of_its_bytes(weights):
    digest = hashlib.sha256(b"one").hexdigest()
    assert content_of(str(weights)) == content_of(weights.as_uri()) == digest
    weights.write_bytes(b"two")  # of the same size
    assert content_of(str(weights)) == hashlib.sha256(b"two").hexdigest()


def test_an_unchanged_file_is_read_once(weights, monkeypatch):
    first = content_of(str(weights))
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert content_of(str(weights)) == first


def test_a_replaced_file_of_the_same_size_and_time_is_read(weights, tmp_path):
    first = content_of(str(weights))
    other = tmp_path / "other"
    other.write_bytes(b"two")
    os.utime(other, (1e9, 1e9))
    other.replace(weights)
    assert content_of(str(weights)) != first


def test_a_file_that_may_still_change_is_not_cached(weights, tmp_path):
    os.utime(weights, (time.time(), time.time()))
    content_of(str(weights))
    assert not (tmp_path / "cache" / "contents").exists()


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"checkpoint '.*gone\.pth': expected a file, cannot read it \(No"):
        content_of(str(tmp_path / "gone.pth"))
    with pytest.raises(DataError, match="Is a directory"):
        content_of(str(tmp_path))


def test_without_a_cache_the_answer_is_the_same(weights, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "file"))
    assert content_of(str(weights)) == hashlib.sha256(b"one").hexdigest()


def test_an_address_is_known_by_what_its_server_tells(monkeypatch):
    told = {"ETag": "1", "size": 3, "name": "ignored"}
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    monkeypatch.setattr(type(memory), "info", lambda self, path: told)
    first = content_of("memory://weights.pth")
    told["name"] = "other"
    assert content_of("memory://weights.pth") == first
    told["ETag"] = "2"
    second = content_of("memory://weights.pth")
    assert second != first

    def fail(self, path):
        raise OSError("no\nroute")

    monkeypatch.setattr(type(memory), "info", fail)
    assert content_of("memory://weights.pth") == second
    with pytest.raises(DataError, match=r"checkpoint 'memory://other\.pth': cannot be reached \(no route\)"):
        content_of("memory://other.pth")


def test_the_time_of_the_last_change_is_known_of_files_only(weights, tmp_path):
    assert changed_at(str(weights)) == 1e9
    assert changed_at(str(tmp_path / "gone")) == changed_at("https://example.org/a.pth") == 0
    assert local_path("~/a.pth") == local_path(os.path.expanduser("~/a.pth"))
    assert file_content.local_path("s3://bucket/a.pth") is None
