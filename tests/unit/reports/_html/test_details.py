import json

import pytest

from lsbench.reports._html import details
from lsbench.reports._html.details import JOB, RECORD, Texts, detail_data
from lsbench.store.results import SPEC
from lsbench.tables.frames.load import load_table


@pytest.fixture
def folder(tiny, make_graph, fill_store):
    graph = make_graph(tiny)
    folder = fill_store(graph, failed=("id/evaluate/seed1",))
    for job in graph.by_id().values():
        path = folder.job_folder(str(job.id))
        path.mkdir(parents=True, exist_ok=True)
        (path / SPEC).write_text(job.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return folder


def test_every_record_names_its_job_and_every_job_its_configuration(folder):
    data = detail_data(load_table([folder]), folder)
    text = data["texts"].__getitem__
    top1 = [record for record in data["records"]["ls"] if text(record[1]) == "top1"]
    assert [record[1 + RECORD.index("value")] for record in top1] == [0.5, 0.5]
    jobs = [data["jobs"][record[0]] for record in top1]
    assert [job[JOB.index("seed")] for job in jobs] == [0, 1]
    assert {job[JOB.index("job")] for job in jobs} == {"evaluate"}
    for job in jobs:
        assert json.loads(text(job[JOB.index("provenance")]))["host"] == "a host"
        assert json.loads(text(job[-1]))["id"] == job[JOB.index("job_id")]


def test_a_failed_job_has_its_error_and_no_record(folder):
    data = detail_data(load_table([folder]), folder)
    failed = [job for job in data["jobs"] if job[JOB.index("status")] == "failed"]
    assert [job[JOB.index("error")] for job in failed] == ["ValueError: too bad"]
    top1 = data["texts"].index("top1")
    assert len([record for record in data["records"]["id"] if record[1] == top1]) == 1


def test_without_a_folder_there_are_numbers_but_no_configuration(folder):
    data = detail_data(load_table([folder]), None)
    assert {job[-1] for job in data["jobs"]} == {None}
    assert data["records"]["ls"]


def test_what_a_page_cannot_hold_is_told(folder, monkeypatch):
    monkeypatch.setattr(details, "MOST_RECORDS", 3)
    monkeypatch.setattr(details, "MOST_SPEC_BYTES", 10)
    table = load_table([folder])
    data = detail_data(table, folder)
    assert sum(map(len, data["records"].values())) == 3
    assert data["notes"][0].startswith(f"This page holds the first 3 of {len(table)} records")
    assert "are too large for this page" in data["notes"][1]


def test_a_text_is_kept_once():
    texts = Texts()
    assert [texts.number(text) for text in ("a", "b", "a", None)] == [0, 1, 0, None]
    assert list(texts.numbers) == ["a", "b"]
