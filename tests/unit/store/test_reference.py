import numpy as np
import pytest

from lsbench.core.checked_lines import check_lines
from lsbench.core.errors import NothingMeasuredError, UsageError
from lsbench.store import reference
from lsbench.store.job_files import PREDICTIONS, read_arrays
from lsbench.store.places import find_asked
from lsbench.store.reference import is_reference, keep_reference, reference_folder
from lsbench.store.results import ResultsFolder
from lsbench.store.standing import standing_now


@pytest.fixture
def finished(tiny, make_graph, fill_store, tmp_path):
    """Finished results with answers, logs and weights, on a machine with a name."""
    folder = fill_store(make_graph(tiny), results=tmp_path / "own")
    for entry in folder.manifest()["jobs"]:
        place = folder.job_folder(entry["id"])
        place.mkdir(parents=True, exist_ok=True)
        (place / "log.txt").write_text("long")
        if entry["kind"] == "evaluate":
            np.savez(
                place / PREDICTIONS,
                images_sha256=np.array("abc"),
                targets=np.array([0, 300], np.uint16),
                predictions=np.array([0, 1], np.uint16),
                best=np.array([[0], [1]], np.uint16),
                score_top1=np.array([True, False]),
            )
    return folder


@pytest.fixture
def kept(finished, tmp_path, monkeypatch):
    """The same as a shipped reference."""
    monkeypatch.setattr(reference, "SHIPPED", (tmp_path / "none", tmp_path / "shipped"))
    target = tmp_path / "shipped" / "tiny" / "default"
    size = keep_reference(finished, target)
    assert size == sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return target


def test_numbers_and_answers_are_kept_and_the_rest_is_not(finished, kept):
    ours = ResultsFolder(kept)
    assert ours.records() == finished.records()
    assert {*ours.jobs()} == {*finished.jobs()}
    assert {path.name for path in kept.rglob("*") if path.is_file()} == {
        "manifest.json",
        "suite.yaml",
        "jobs.jsonl",
        "records.jsonl",
        PREDICTIONS,
    }
    arrays = read_arrays(next(kept.rglob(PREDICTIONS)))
    assert {*arrays} == {"images_sha256", "targets", "predictions", "score_top1"}
    assert (arrays["predictions"].dtype, arrays["targets"].dtype) == (np.uint8, np.uint16)
    assert check_lines((kept / "jobs.jsonl").read_bytes().splitlines())[1] == []


def test_who_measured_and_which_code_is_not_told(finished, kept):
    for line in ResultsFolder(kept).jobs().values():
        assert "code" not in line
        assert line["provenance"].get("host", "reference") == "reference"
    manifest = ResultsFolder(kept).manifest()
    assert "plugins" not in manifest
    assert standing_now(ResultsFolder(kept), manifest).due() == {}


def test_a_reference_is_found_by_its_name_and_belongs_to_the_shipped_ones(kept, tmp_path):
    (found,) = find_asked("reference:tiny", tmp_path / "results")
    assert found.root == kept
    assert is_reference(kept)
    assert not is_reference(tmp_path / "own" / "tiny")
    assert reference_folder("tiny") is None
    with pytest.raises(UsageError, match=r"reference:tinny: no such .*did you mean 'tiny'.*reference:tiny"):
        reference_folder("reference:tinny")


def test_results_with_open_jobs_are_no_reference(tiny, make_graph, fill_store, records_of, tmp_path):
    folder = fill_store(
        make_graph(tiny), lambda job: None if job.kind == "evaluate" else records_of(job), results=tmp_path
    )
    with pytest.raises(NothingMeasuredError, match=r"4 of 10 jobs are not done"):
        keep_reference(folder, tmp_path / "target")
    assert not (tmp_path / "target").exists()
