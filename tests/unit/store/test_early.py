import json

import pytest

from lsbench.core.facets import Facets
from lsbench.core.record import measured
from lsbench.store.early import EARLY, keeping, read_early
from lsbench.store.results import ResultsFolder

FIGURES = [measured(name, 3.0, facets=Facets(method=name)) for name in ("params", "macs")]


def content(records):
    found = [{"job_id": "p-1", **record.model_dump(mode="json")} for record in records]
    return {"job": {"schema_version": 2, "job_id": "p-1", "status": "ok"}, "records": found}


@pytest.fixture
def folder(tmp_path):
    folder = ResultsFolder(tmp_path)
    folder.job_folder("p-1").mkdir(parents=True)
    return folder


def kept(folder):
    return {
        name: [r["metric"] for r in one["records"]] for name, one in read_early(folder, ["p-1", "x"]).items()
    }


def test_records_are_added_while_the_job_runs_and_go_when_it_has_ended(folder):
    with keeping(folder.job_folder("p-1"), content) as keep:
        keep([])
        assert kept(folder) == {}
        keep(FIGURES[:1])
        assert kept(folder) == {"p-1": ["params"]}
        keep(FIGURES[1:])
        assert kept(folder) == {"p-1": ["params", "macs"]}
    assert not (folder.job_folder("p-1") / EARLY).exists()


def test_a_job_that_stops_leaves_them_and_its_next_attempt_begins_anew(folder):
    def stop():
        with keeping(folder.job_folder("p-1"), content) as keep:
            keep(FIGURES)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert kept(folder) == {"p-1": ["params", "macs"]}
    with keeping(folder.job_folder("p-1"), content):
        assert kept(folder) == {}


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"job": {}})])
def test_a_damaged_file_is_left_out_with_a_warning(text, folder):
    heard = []
    (folder.job_folder("p-1") / EARLY).write_text(text)
    assert read_early(ResultsFolder(folder.root, warn=heard.append), ["p-1"]) == {}
    assert len(heard) == 1
    assert EARLY in heard[0]


def test_nothing_is_kept_where_nothing_began(tmp_path):
    assert read_early(ResultsFolder(tmp_path / "nowhere"), ["p-1"]) == {}
