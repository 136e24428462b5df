import pandas as pd
import pytest

from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.cached_frame import cached_frame

COLUMNS = {"name": "string", "value": "Float64"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "records.jsonl").write_text("one\n")
    return ResultsFolder(tmp_path)


def rows_then_none():
    """Return a reader that has rows the first time only."""
    left = [[{"name": "a", "value": 0.5}, {"name": "b"}]]
    return lambda folder: left.pop() if left else []


def test_rows_are_read_again_only_after_a_change(folder):
    read = rows_then_none()
    first = cached_frame(folder, "c.parquet", COLUMNS, read)
    pd.testing.assert_frame_equal(cached_frame(folder, "c.parquet", COLUMNS, read), first)
    assert first.value.isna().tolist() == [False, True]
    (folder.root / "records.jsonl").write_text("one\ntwo\n")
    assert cached_frame(folder, "c.parquet", COLUMNS, read).empty


def test_other_columns_are_another_frame(folder):
    read = rows_then_none()
    cached_frame(folder, "c.parquet", COLUMNS, read)
    assert cached_frame(folder, "c.parquet", {**COLUMNS, "more": "Int64"}, read).empty


def test_no_rows_leave_no_file(folder):
    read = rows_then_none()
    cached_frame(folder, "c.parquet", COLUMNS, read)
    assert (folder.root / "c.parquet").exists()
    (folder.root / "records.jsonl").unlink()
    cached_frame(folder, "c.parquet", COLUMNS, read)
    assert sorted(path.name for path in folder.root.iterdir()) == []


def test_a_folder_that_is_not_there_is_read_all_the_same(tmp_path):
    found = cached_frame(ResultsFolder(tmp_path / "gone"), "c.parquet", COLUMNS, rows_then_none())
    assert list(found.name) == ["a", "b"]


def test_rows_are_read_again_if_something_else_has_changed(folder):
    read = rows_then_none()
    assert len(cached_frame(folder, "c.parquet", COLUMNS, read, state=["a"])) == 2
    assert len(cached_frame(folder, "c.parquet", COLUMNS, read, state=["a"])) == 2
    assert cached_frame(folder, "c.parquet", COLUMNS, read).empty
