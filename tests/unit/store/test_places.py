import os
import shutil

import pytest

from lsbench.core.errors import NothingMeasuredError
from lsbench.core.plain_warnings import LsbenchWarning
from lsbench.store.places import find_asked, find_results, of_preset, results_in, shown_apart
from lsbench.store.results import ResultsFolder


@pytest.fixture
def folder(tiny, make_graph, fill_store):
    return fill_store(make_graph({**tiny, "seeds": [0]}))


@pytest.fixture
def results(folder):
    return folder.root.parents[1]


def roots(folders):
    return [folder.root for folder in folders]


def test_results_are_found_by_suite(folder, results):
    other = results / "other" / "small"
    other.mkdir(parents=True)
    (other / "manifest.json").write_text("{}")
    (results / "empty" / "default").mkdir(parents=True)
    assert roots(find_results(results)) == [other, folder.root]
    assert roots(find_results(results, "tiny")) == [folder.root]
    assert find_results(results, "nothing") == []
    assert find_results(results / "nowhere") == []


def test_a_folder_of_a_preset_a_suite_and_several_suites_all_hold_results(folder, results):
    for place in (folder.root, folder.root.parent, results):
        assert roots(results_in(place)) == [folder.root]
        assert roots(find_results(place)) == [folder.root]
        assert roots(find_asked(str(place), results)) == [folder.root]
    assert results_in(results.parent) == []


def test_a_name_and_a_path_below_the_results_are_found_from_anywhere(folder, results, tmp_path, monkeypatch):
    (tmp_path / "elsewhere" / "tiny").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")  # with a folder of the suite's name
    for asked in ("tiny", "tiny/default", f"tiny{os.sep}default{os.sep}"):
        assert roots(find_asked(asked, results)) == [folder.root]
    monkeypatch.chdir(results)
    assert roots(find_asked("tiny", results / "none")) == [folder.root]
    assert roots(find_asked("./tiny/", results / "none")) == [folder.root]
    assert roots(find_asked(".", results / "none")) == [folder.root]


def test_what_is_no_results_folder_is_told_from_one_without_results(folder, results, tmp_path):
    (results / "empty").mkdir()
    assert find_asked("empty", results) == []
    assert find_asked("nothing", results) is None
    assert find_asked("some/file.yaml", results) is None
    with pytest.raises(NothingMeasuredError, match=r"jobs: no results in this folder: expected a manifest"):
        find_asked(str(folder.root / "jobs"), results)


def test_copied_and_renamed_folders_are_named_after_their_places(folder, results, tmp_path):
    shutil.copytree(results / "tiny", results / "tiny_old")
    shutil.copytree(results / "tiny", tmp_path / "backup" / "results" / "tiny")
    one, two = find_results(results)
    assert (one.place, two.place) == ("tiny in tiny (default)", "tiny in tiny_old (default)")
    assert [found.manifest()["suite"] for found in (one, two)] == ["tiny in tiny", "tiny in tiny_old"]
    assert one.names == ("tiny in tiny", "default")
    third = results_in(tmp_path / "backup" / "results")
    assert [found.shown_as for found in third] == [None]
    found = shown_apart([*find_results(results, "tiny"), *third, *find_results(results, "tiny")])
    assert [one.shown_as for one in found] == ["tiny in results", "tiny in backup/results"]


def test_a_preset_is_known_by_its_folder_and_by_its_manifest(folder, results):
    shutil.move(folder.root, folder.root.with_name("renamed"))
    found = find_results(results)
    for preset in (None, "renamed", "default"):
        assert of_preset(found, preset) == found
    assert of_preset(found, "other") == []


def test_a_folder_that_cannot_be_read_is_named_and_hides_only_itself(folder, results, monkeypatch):
    (results / "closed").mkdir()
    scan = os.scandir

    def closed(path):
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.warns(LsbenchWarning, match=r"closed: cannot be read \(Permission denied\); check who owns"):
        assert roots(find_results(results)) == [folder.root]


def test_files_among_the_folders_are_passed_over(folder, results):
    (results / "notes.txt").write_text("mine")
    (results / "tiny" / "notes.txt").write_text("mine")
    assert roots(find_results(results)) == [folder.root]
    assert find_results(results / "notes.txt") == []


def test_names_of_a_damaged_folder_are_those_of_its_place(folder):
    (folder.root / "manifest.json").write_text("")
    assert ResultsFolder(folder.root).names == ("tiny", "default")
