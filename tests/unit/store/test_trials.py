import pytest

from lsbench.store.results import ResultsFolder
from lsbench.store.trials import (
    add_epoch,
    add_takeover,
    add_trial,
    history,
    read_epochs,
    read_schedule,
    read_search,
    read_trials,
    write_search,
)


@pytest.fixture
def folder(tmp_path):
    return ResultsFolder(tmp_path)


def test_a_folder_without_search_has_none(folder):
    assert read_search(folder) is None
    assert read_trials(folder) == {}


def test_what_is_searched_is_written_once(folder):
    write_search(folder, {"ids": {"a": "1"}})
    before = (folder.root / "search.json").stat().st_ino
    write_search(folder, {"ids": {"a": "1"}})
    assert (folder.root / "search.json").stat().st_ino == before
    assert read_search(folder) == {"ids": {"a": "1"}}


def test_the_last_line_of_a_trial_counts_and_other_searches_do_not(folder):
    write_search(folder, {"ids": {"a": "new"}})
    for search, state in (("old", "ok"), ("new", "running"), ("new", "stopped")):
        add_trial(folder, {"search": search, "variant": "a", "trial": 0, "state": state})
    assert {key: line["state"] for key, line in read_trials(folder).items()} == {("a", 0): "stopped"}


def test_an_epoch_trained_twice_costs_twice_and_counts_once(tmp_path):
    for epoch, loss in ((1, 3.0), (2, 2.0), (2, 1.5)):
        add_epoch(tmp_path, {"epoch": epoch, "loss": loss})
    assert len(read_epochs(tmp_path)) == 3
    assert [event["loss"] for event in history(tmp_path)] == [3.0, 1.5]


def test_takeovers_are_kept_in_order(tmp_path):
    assert read_schedule(tmp_path) == []
    for epoch in (1, 2):
        add_takeover(tmp_path, {"epoch": epoch})
    assert [line["epoch"] for line in read_schedule(tmp_path)] == [1, 2]
