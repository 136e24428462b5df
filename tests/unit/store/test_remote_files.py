"""Files at an address: in a folder behind ``file://``, in fsspec's memory, and where nothing answers."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from lsbench.core.errors import ConfigError, DiskFullError, StoreError
from lsbench.store import remote_files
from lsbench.store.remote_files import RemoteFiles


@pytest.fixture(params=["file", "memory"])
def url(request, tmp_path: Path) -> str:
    return f"file://{tmp_path / 'far'}" if request.param == "file" else f"memory://{uuid.uuid4().hex}"


def test_files_are_sent_found_brought_and_removed_by_name(url, tmp_path):
    far, here = RemoteFiles(url + "/"), tmp_path / "here"
    assert far.found() == {}
    here.write_bytes(b"12345")
    sent = far.put(here, "tiny/default/jobs/a/x.bin")
    far.write("top", b"1")
    assert sent is not None
    assert sent.size == 5
    assert far.found()["tiny/default/jobs/a/x.bin"] == sent == far.look("tiny/default/jobs/a/x.bin")
    assert list(far.found("tiny/default")) == ["tiny/default/jobs/a/x.bin"]
    assert far.get("tiny/default/jobs/a/x.bin", tmp_path / "deep/back")
    assert (tmp_path / "deep/back").read_bytes() == b"12345"
    far.remove("top")
    far.remove("top")
    assert (far.read("top"), far.look("top"), far.get("top", tmp_path / "no")) == (None, None, False)
    assert not (tmp_path / "no").exists()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["back"]


def test_another_content_is_another_version_and_newer(url, tmp_path):
    far = RemoteFiles(url)
    far.write("a", b"one")
    first = far.look("a")
    (tmp_path / "a").write_bytes(b"three")
    second = far.put(tmp_path / "a", "a")
    assert first is not None
    assert second is not None
    assert first.version != second.version
    assert 1e9 < first.changed_at <= second.changed_at


def test_a_new_file_does_not_replace_one_that_is_there(url):
    far = RemoteFiles(url)
    assert far.write("lock", b"first", is_new=True)
    assert not far.write("lock", b"second", is_new=True)
    assert far.read("lock") == b"first"
    assert far.write("lock", b"third")
    assert far.read("lock") == b"third"


def test_a_file_that_has_gone_here_is_not_sent(url, tmp_path):
    far = RemoteFiles(url)
    assert far.put(tmp_path / "rotated", "rotated") is None
    assert far.found() == {}


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (lambda far, path: far.found(), "cannot be read"),
        (lambda far, path: far.look("a"), "a cannot be read"),
        (lambda far, path: far.get("a", path / "b"), "a cannot be read"),
        (lambda far, path: far.put(Path(__file__), "a"), "a cannot be written"),
        (lambda far, path: far.read("a"), "a cannot be read"),
        (lambda far, path: far.write("a", b""), "a cannot be written"),
        (lambda far, path: far.remove("a"), "a cannot be removed"),
    ],
)
def test_whatever_a_driver_raises_is_one_line_with_the_way_out(monkeypatch, act, what, tmp_path):
    class Driver:
        def invalidate_cache(self) -> None:
            pass

        def __getattr__(self, name: str):
            def fail(*words: object, **options: object):
                raise RuntimeError("Unable to locate\ncredentials")

            return fail

    monkeypatch.setattr(remote_files, "opened_address", lambda url, said_as: (Driver(), "bucket/path"))
    with pytest.raises(StoreError) as raised:
        act(RemoteFiles("x://bucket/path"), tmp_path)
    reason = f"{what} (Unable to locate credentials)"
    assert (
        str(raised.value) == f"x://bucket/path: {reason}; check the address, your credentials and the network"
    )


def test_no_room_here_is_told_as_such(monkeypatch, tmp_path):
    far = RemoteFiles(f"file://{tmp_path / 'far'}")
    far.write("a", b"1")

    def fail(*words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(far._files, "get_file", fail)
    with pytest.raises(DiskFullError, match="no room to write it"):
        far.get("a", tmp_path / "b")


def test_an_unknown_protocol_and_a_driver_that_is_not_installed_are_told(monkeypatch):
    with pytest.raises(ConfigError, match="--results nope://x: Protocol not known: nope"):
        RemoteFiles("nope://x")

    def fail(url: str):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", fail)
    with pytest.raises(
        ConfigError, match=r'--results s3://b/p: Install s3fs .*; pip install "lsbench\[s3\]"'
    ):
        RemoteFiles("s3://b/p")
