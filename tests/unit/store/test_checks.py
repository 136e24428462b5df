import json

import pytest

from lsbench.core.errors import StoreError
from lsbench.store.results import RESULT, ResultsFolder


@pytest.fixture
def folder(tiny, make_graph, fill_store):
    return fill_store(make_graph({**tiny, "seeds": [0]}))


def spoil(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def put(*path):
    *steps, key, value = path

    def change(content):
        for step in steps:
            content = content[step]
        content[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("jobs", "none"), "jobs: expected a list, found 'none'"),
        (put("jobs", [1]), r"jobs\[0\]: expected a mapping, found 1"),
        (put("suite", None), "suite: expected a text, found None"),
        (put("tags", "smoke"), "tags: expected a list, found 'smoke'"),
        (put("jobs", 0, "variant", 3), r"jobs\[0\]: variant: expected a text, found 3"),
        (put("jobs", 0, "seed", "zero"), r"jobs\[0\]: seed: expected a whole number, found 'zero'"),
        (put("jobs", 0, "seed", True), r"jobs\[0\]: seed: expected a whole number, found True"),
        (put("jobs", 0, "seed", 2**63), r"jobs\[0\]: seed: beyond 64 bits"),
    ],
)
def test_a_manifest_of_another_form_says_where(change, words, folder):
    spoil(folder.root / "manifest.json", change)
    with pytest.raises(StoreError, match=rf"manifest\.json: {words}.*remove the file and run again"):
        folder.manifest()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.pop("records"), "lacks 'records'"),
        (lambda content: content.pop("job"), "lacks 'job'"),
        (lambda content: content["job"].pop("status"), "job: lacks 'status'"),
        (lambda content: content["records"][0].pop("metric"), r"records\[0\]: lacks 'metric'"),
        (lambda content: content["records"][0].pop("setting"), r"records\[0\]: lacks 'setting'"),
        (put("records", {}), "records: expected a list, found {}"),
        (put("records", 0, "value", "0.5"), r"records\[0\]: value: expected a number, found '0.5'"),
        (put("records", 0, "value", float("nan")), r"records\[0\]: value: expected a finite number"),
        (put("job", "schema_version", 9), "written by a newer lsbench"),
    ],
)
def test_a_result_of_another_form_says_where_and_nothing_of_it_is_used(
    change, words, folder, make_graph, tiny
):
    job = make_graph({**tiny, "seeds": [0]}).jobs[0]
    spoil(folder.job_folder(job.id) / RESULT, change)
    with pytest.raises(StoreError, match=rf"result\.json: {words}"):
        folder.result(job.id)
    before = (folder.root / "records.jsonl").read_bytes()
    with pytest.raises(StoreError, match=rf"result\.json: {words}"):
        ResultsFolder(folder.root).reconcile()
    assert (folder.root / "records.jsonl").read_bytes() == before


@pytest.mark.parametrize("content", ["", "[]", "null", "[" * 100_000, "\0"])
def test_what_is_no_json_mapping_is_damaged(content, folder):
    (folder.root / "manifest.json").write_text(content)
    with pytest.raises(StoreError, match=r"manifest\.json: damaged \(.*remove it and run again"):
        folder.manifest()
