import errno
import json
import shutil

import pytest

from lsbench.core.atomic import write_json
from lsbench.core.checked_lines import check_lines
from lsbench.core.errors import DiskFullError, StoreError
from lsbench.core.facets import Facets
from lsbench.core.record import measured
from lsbench.store.results import RESULT, ResultsFolder, begin_job, facets_of, read_json, record_key


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph({**tiny, "seeds": [0]})


@pytest.fixture
def folder(graph, fill_store):
    return fill_store(graph)


def reopen(folder):
    warnings = []
    return ResultsFolder(folder.root, warn=warnings.append)


def content(folder):
    """Return what a reader sees: jobs by id, and every record line by key with how often it occurs."""
    jobs = {name: line["status"] for name, line in folder.jobs().items()}
    keys = [record_key(json.loads(line)) for line in (folder.root / "records.jsonl").read_text().splitlines()]
    return jobs, sorted(map(str, keys))


def test_a_finished_job_is_read_back(folder, graph, records_of):
    for job in graph.jobs:
        assert folder.is_done(job.id)
        assert folder.jobs()[job.id]["label"] == job.label
    expected = [record for job in graph.jobs for record in records_of(job)]
    assert folder.records() == expected


def test_records_are_unique_by_key_and_the_last_counts(folder, graph):
    first = folder.records()[0]
    changed = {**first, "value": 99.0}
    other = {**first, "protocol": "another"}
    before = len(folder.records())
    folder.add_job(folder.jobs()[first["job_id"]], [changed, other])
    records = folder.records()
    assert len(records) == before + 1
    assert next(r for r in records if record_key(r) == record_key(first))["value"] == 99.0


def test_the_last_line_of_a_job_counts(graph, fill_store, job_lines):
    ok_line, _ = job_lines
    label = graph.jobs[0].label
    folder = fill_store(graph, failed=(label,))
    assert folder.jobs()[graph.jobs[0].id]["status"] == "failed"
    folder.add_job(ok_line(graph.jobs[0]), [])
    assert folder.jobs()[graph.jobs[0].id]["status"] == "ok"


@pytest.mark.parametrize("journal", ["records.jsonl", "jobs.jsonl"])
def test_a_journal_cut_at_any_point_is_made_whole_without_doubles(journal, folder):
    expected = content(folder)
    whole = (folder.root / journal).read_bytes()
    for cut in {*range(0, len(whole), 97), *(i + d for i, b in enumerate(whole) if b == 10 for d in (0, 1))}:
        (folder.root / journal).write_bytes(whole[:cut])
        again = reopen(folder)
        again.reconcile()
        assert content(again) == expected, cut
        assert again.reconcile() == 0


def test_a_crash_before_the_journals_loses_nothing(folder):
    expected = content(folder)
    for journal in ("records.jsonl", "jobs.jsonl"):
        (folder.root / journal).unlink()
    assert folder.reconcile() == 4 + 2
    assert content(folder) == expected


def test_a_manifest_is_there_only_with_the_suite_that_it_was_made_of(tmp_path, monkeypatch):
    """The next run writes neither if the manifest is as it should be."""
    folder = ResultsFolder(tmp_path)
    written = []
    for name in ("write_json", "write_text"):
        monkeypatch.setattr(f"lsbench.store.results.{name}", lambda path, content: written.append(path.name))
    folder.write_manifest({}, "")
    assert written == ["suite.yaml", "manifest.json"]


def test_what_a_killed_driver_left_beside_its_results_goes(folder):
    before = sorted(folder.root.rglob("*"))
    for name in (".manifest.json.abcd_123", "time_left.json", ".shared-0a1b2c3d", ".probe-17"):
        (folder.root / name).touch()
    folder.reconcile()
    assert sorted(folder.root.rglob("*")) == before


def test_a_job_whose_records_alone_are_gone_stays_in_its_journal_once(folder):
    """As after a crash between the two journals from which results that are set aside are removed."""
    expected, lines = content(folder), (folder.root / "jobs.jsonl").read_bytes()
    (folder.root / "records.jsonl").unlink()
    assert folder.reconcile() > 0
    assert content(folder) == expected
    assert (folder.root / "jobs.jsonl").read_bytes() == lines


def test_a_crash_at_each_point_of_adding_a_job(graph, folder, records_of, job_lines):
    expected = content(folder)
    victim = graph.jobs[-1]
    lines = {
        name: [
            line
            for line in (folder.root / name).read_text().splitlines(keepends=True)
            if victim.id not in line
        ]
        for name in ("records.jsonl", "jobs.jsonl")
    }
    records = records_of(victim)
    assert len(records) > 1
    for count in range(len(records) + 1):
        for name, kept in lines.items():
            (folder.root / name).write_text("".join(kept))
        if count:
            with (folder.root / "records.jsonl").open("a") as file:
                file.writelines(json.dumps(record) + "\n" for record in records[:count])
        assert folder.reconcile() == 1
        assert content(folder) == expected


@pytest.mark.parametrize("journal", ["records.jsonl", "jobs.jsonl"])
def test_a_flipped_bit_anywhere_is_noticed_and_mended_from_the_job_folders(journal, folder):
    expected = folder.jobs(), folder.records()
    whole = (folder.root / journal).read_bytes()
    first = whole.index(b"\n")
    for place in range(0, first - 22, 7):  # up to the checksum itself
        (folder.root / journal).write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        heard = []
        again = ResultsFolder(folder.root, warn=heard.append)
        again.jobs(), again.records()
        assert [":1: damaged line not used" in line for line in heard] == [True]
        again.reconcile()
        heard.clear()
        jobs, records = again.jobs(), again.records()
        assert (jobs, sorted(map(str, records)), heard) == (expected[0], sorted(map(str, expected[1])), [])


def test_a_journal_of_an_earlier_version_goes_on_with_checksums(folder, graph, job_lines):
    ok_line, _ = job_lines
    path = folder.root / "jobs.jsonl"
    expected = folder.jobs()
    path.write_bytes(b"".join(line + b"\n" for line in check_lines(path.read_bytes().split(b"\n"))[0]))
    assert b"crc32" not in path.read_bytes()
    folder.add_job(ok_line(graph.jobs[0]), [])
    assert path.read_bytes().count(b"crc32") == 1
    assert reopen(folder).jobs() == expected
    assert list(folder.states()) == list(expected)


def test_a_job_without_a_result_is_not_taken_for_done(folder, graph):
    shutil.rmtree(folder.job_folder(graph.jobs[0].id))
    (folder.job_folder("train-started") / "checkpoints").mkdir(parents=True)
    assert not folder.is_done(graph.jobs[0].id)
    assert folder.result("train-started") is None
    assert folder.reconcile() == 0


def test_a_finished_job_that_had_failed_before_is_mended(graph, fill_store, job_lines):
    _, failed_line = job_lines
    folder = fill_store(graph)
    folder.add_job(failed_line(graph.jobs[0]), [])
    assert folder.reconcile() == 1
    assert folder.jobs()[graph.jobs[0].id]["status"] == "ok"


def test_no_text_of_a_store_commands_a_terminal(graph, folder, job_lines):
    job = graph.jobs[0]
    manifest = read_json(folder.root / "manifest.json")
    manifest["description"] = "a\x1b]0;x\x07\nb"
    manifest["jobs"][0]["title"] = "a\x1b[2J\nb\u202e"
    write_json(folder.root / "manifest.json", manifest)
    _, failed_line = job_lines
    folder.add_job({**failed_line(job), "status": "failed", "error": "E: \x1b[31mred\x9b\nb"}, [])
    folder.add_attempt(job.id, {"status": "failed", "error": "\x1b[31m"})
    found = folder.manifest()
    assert found["description"] == r"a\x1b]0;x\x07" + "\nb"
    assert found["jobs"][0]["title"] == r"a\x1b[2J" + "\nb" + r"\u202e"
    for lines in (folder.jobs(), folder.states()):
        assert lines[job.id]["error"] == r"E: \x1b[31mred\x9b" + "\nb"
    assert folder.attempts(job.id)[-1]["error"] == r"\x1b[31m"


def test_attempts_are_kept_in_order(folder):
    for number in range(3):
        folder.add_attempt("train-x", {"number": number})
    assert [attempt["number"] for attempt in folder.attempts("train-x")] == [0, 1, 2]
    assert folder.attempts("train-y") == []


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    folder = ResultsFolder(tmp_path / "file" / "suite" / "default")
    with pytest.raises(
        StoreError, match=r"cannot be written \(Not a directory\); choose another with --results"
    ):
        folder.create()


def test_naming_a_folder_creates_nothing_and_creating_leaves_no_probe(tmp_path):
    folder = ResultsFolder(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    assert (folder.manifest(), folder.jobs(), folder.records(), folder.reconcile()) == (None, {}, [], 0)
    folder.create()
    assert [path.name for path in folder.root.iterdir()] == ["jobs"]


def test_damaged_json_is_an_error_and_absent_json_is_none(tmp_path):
    path = tmp_path / "x.json"
    assert read_json(path) is None
    path.write_text('{"a":')
    with pytest.raises(StoreError, match=r"x\.json: damaged .*remove it and run again"):
        read_json(path)


def test_a_torn_line_warns_the_user(folder):
    with (folder.root / "jobs.jsonl").open("a") as file:
        file.write('{"job_id"')
    plain = ResultsFolder(folder.root)
    with pytest.warns(UserWarning, match=r"jobs\.jsonl:7: torn last line dropped"):
        plain.jobs()


def test_a_full_disk_is_said_before_a_run_starts(tmp_path):
    with pytest.raises(StoreError, match="MiB are free on this disk"):
        ResultsFolder(tmp_path / "suite", min_free_bytes=2**62).create()


NEW = Facets(split="test", weights="last", res=32, n=20, version="2")


def test_no_room_for_the_folder_of_a_job_is_said(tmp_path, monkeypatch):
    begin_job(tmp_path / "jobs/a", "{}")
    assert (tmp_path / "jobs/a/spec.json").read_text() == "{}"

    def fail(*_):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr("os.mkdir", fail)
    begin_job(tmp_path / "jobs/a", "[]")
    assert (tmp_path / "jobs/a/spec.json").read_text() == "[]"
    with pytest.raises(DiskFullError, match="no room"):
        begin_job(tmp_path / "jobs/b", "{}")


def add_new_job(folder, job, line):
    """Let a job end that this version has run, beside those of version 1."""
    record = {"job_id": job.id, **measured("top1", 0.25, facets=NEW, n=20).model_dump(mode="json")}
    write_json(
        folder.job_folder(job.id) / RESULT, {"job": {**line, "schema_version": 2}, "records": [record]}
    )
    return record


def test_a_store_of_both_versions_is_read_reconciled_and_continued(folder, graph, job_lines):
    ok_line, failed_line = job_lines
    old = folder.records()
    assert all("facets" not in record for record in old)
    job = graph.jobs[-1]
    record = add_new_job(folder, job, ok_line(job))
    assert folder.reconcile() == 1
    assert folder.reconcile() == 0
    folder.add_job({**failed_line(graph.jobs[0]), "schema_version": 2}, [])
    assert folder.records() == [*old, record]
    for states in (folder.jobs(), folder.states()):
        assert {name: line["status"] for name, line in states.items()} == {
            one.id: "failed" if one is graph.jobs[0] else "ok" for one in graph.by_id().values()
        }
    add_new_job(folder, job, ok_line(job))
    folder.add_job({**ok_line(job), "schema_version": 2}, [])
    assert {name: line["schema_version"] for name, line in folder.states().items()} == {
        name: line["schema_version"] for name, line in folder.jobs().items()
    }


def test_facets_of_either_version_are_the_same():
    record = measured("top1", 0.5, facets=NEW.of_epoch(3)).model_dump(mode="json")
    old = {key: value for key, value in record.items() if key != "facets"}
    assert facets_of(record) == facets_of(old) == NEW.of_epoch(3)
    assert facets_of(measured("top1", 0.5, protocol="test|n=3").model_dump(mode="json")) == Facets()
