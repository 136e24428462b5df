from datetime import UTC, datetime, timedelta

import pytest

from lsbench.store.durations import (
    DURATIONS,
    MOST_BYTES,
    Duration,
    Remaining,
    add_duration,
    durations_here,
    read_time_left,
    remove_time_left,
    write_time_left,
)
from lsbench.store.results import TIME_LEFT, ResultsFolder

ONE = Duration(("a", "train"), 2.0, 0.5, 10.0)


@pytest.fixture
def folder(tmp_path):
    found = ResultsFolder(tmp_path / "results" / "tiny" / "default")
    found.create()
    return found


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Remaining(0.0), "nothing left"),
        (Remaining(4333.0), "about 1 h 12 min left"),
        (Remaining(None, ("train",)), "unknown until the first train job has run"),
        (Remaining(68.0, ("train",)), "more than 1 min 08 s left, unknown until the first train job has run"),
    ],
)
def test_an_estimate_in_words(estimate, text):
    assert estimate.text() == text


def test_durations_of_this_folder_come_before_those_of_others(folder):
    other = ResultsFolder(folder.root.parent.parent / "other" / "quick")
    other.create()
    add_duration(other, ONE._replace(work=7.0))
    add_duration(folder, ONE)
    assert list(durations_here(folder)) == [ONE, ONE._replace(work=7.0)]


def test_a_folder_that_is_not_there_has_none_and_takes_none(tmp_path):
    missing = ResultsFolder(tmp_path / "results" / "tiny" / "default")
    add_duration(missing, ONE)
    write_time_left(ResultsFolder(tmp_path / "file" / "a"), Remaining(1.0))
    assert list(durations_here(missing)) == []


def test_only_the_newest_part_of_a_long_file_is_read(folder):
    path = folder.root / DURATIONS
    path.write_bytes(b'{"keys": ["old"]}\n' * (MOST_BYTES // 10))
    add_duration(folder, ONE)
    assert list(durations_here(folder)) == [ONE]


def test_the_time_left_falls_while_it_lies_there(folder):
    assert read_time_left(folder) is None
    write_time_left(folder, Remaining(100.0, ("train",)))
    later = datetime.now(UTC) + timedelta(seconds=40)
    found = read_time_left(folder, later)
    assert found.unknown == ("train",)
    assert 58 <= found.seconds <= 61
    assert read_time_left(folder, later + timedelta(hours=1)).seconds == 1.0
    write_time_left(folder, Remaining(None, ("train",)))
    assert read_time_left(folder) == Remaining(None, ("train",))
    remove_time_left(folder)
    remove_time_left(folder)
    assert read_time_left(folder) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"at": "now", "seconds": 1, "unknown": []}'])
def test_a_damaged_time_left_is_none(folder, text):
    (folder.root / TIME_LEFT).write_text(text)
    assert read_time_left(folder) is None


def test_a_line_that_a_killed_run_left_half_costs_no_more_than_the_next(folder):
    add_duration(folder, ONE)
    with (folder.root / DURATIONS).open("ab") as file:
        file.write(b'{"keys": ["tr')
    for _ in range(2):
        add_duration(folder, ONE)
    assert list(durations_here(folder)) == [ONE, ONE]
