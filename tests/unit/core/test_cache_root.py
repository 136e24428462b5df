import os

import pytest

from lsbench.core.cache_root import cache_root
from lsbench.core.errors import DataError


def test_the_environment_names_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    assert cache_root() == tmp_path / "cache"
    assert (tmp_path / "cache").is_dir()


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="LSBENCH_CACHE"):
        cache_root()


def test_without_a_writable_home_temporary_files_are_used(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("LSBENCH_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert cache_root() == tmp_path / f"lsbench-{os.getuid()}"
