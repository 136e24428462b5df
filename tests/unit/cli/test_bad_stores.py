"""What is said of stores that are damaged, incomplete or of another version: one line, and nothing half."""

import json
import subprocess

import pandas as pd
import pytest

from lsbench.cli.main import run_command
from lsbench.core.plain_warnings import LsbenchWarning
from lsbench.store.results import JOBS, MANIFEST, RECORDS
from lsbench.tables.frames.cache import CACHE

READERS = ("report", "status")


@pytest.fixture
def folder(tiny, make_graph, fill_store):
    return fill_store(make_graph(tiny))


@pytest.fixture
def call(folder, capsys):
    """Run a command line on the results; return exit code, stdout and stderr."""

    def run(*arguments):
        code = run_command([*map(str, arguments), "--results", str(folder.root.parents[1])])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def change_manifest(folder, change):
    manifest = json.loads((folder.root / MANIFEST).read_text())
    change(manifest)
    (folder.root / MANIFEST).write_text(json.dumps(manifest))


def put_out_of_reach(path):
    """Make a file one that no user can read, the superuser too."""
    path.unlink()
    path.mkdir()


def is_one_line(answer, *words):
    code, out, err = answer
    assert (code, out, err.count("\n")) == (2, "", 1)
    for word in words:
        assert word in err
    return True


@pytest.mark.parametrize("verb", READERS)
def test_results_of_a_newer_lsbench_are_left_to_it(verb, call, folder):
    def newer(manifest):
        manifest["schema_version"] = 3

    change_manifest(folder, newer)
    said = "written by a newer lsbench (schema 3, this one reads up to 2); upgrade lsbench"
    assert is_one_line(call(verb), f"{MANIFEST}: {said}")


@pytest.mark.parametrize("verb", READERS)
def test_a_line_of_a_newer_lsbench_is_named(verb, call, folder, job_lines, make_graph, tiny):
    ok_line, _ = job_lines
    folder.add_job({**ok_line(make_graph(tiny).jobs[0]), "schema_version": 3}, [])
    number = len((folder.root / JOBS).read_text().splitlines())
    assert is_one_line(call(verb), f"{JOBS}:{number}: written by a newer lsbench (schema 3")


@pytest.mark.parametrize("verb", READERS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda manifest: manifest.pop("baseline"), "manifest.json: lacks 'baseline'"),
        (lambda manifest: manifest["jobs"][2].pop("kind"), "manifest.json: jobs[2]: lacks 'kind'"),
    ],
)
def test_a_manifest_that_lacks_something_says_what(change, words, verb, call, folder):
    change_manifest(folder, change)
    assert is_one_line(call(verb), words, "remove the file and run again")


@pytest.mark.parametrize("verb", READERS)
def test_a_manifest_that_is_no_mapping_is_damaged(verb, call, folder):
    (folder.root / MANIFEST).write_text("[]")
    assert is_one_line(call(verb), "manifest.json: damaged (not a mapping); remove it and run again")


@pytest.mark.parametrize("verb", READERS)
@pytest.mark.parametrize("name", [MANIFEST, JOBS])
def test_a_file_that_cannot_be_read_says_so(name, verb, call, folder):
    put_out_of_reach(folder.root / name)
    assert is_one_line(call(verb), f"{name}: cannot be read (Is a directory)")


def test_records_that_cannot_be_read_say_so(call, folder):
    put_out_of_reach(folder.root / RECORDS)
    assert is_one_line(call("report"), f"{RECORDS}: cannot be read (Is a directory)")


@pytest.mark.parametrize("is_cached", [False, True])
def test_records_cut_in_the_middle_are_an_error_and_at_the_end_a_warning(is_cached, call, folder):
    whole = call("report", "--format", "csv")
    assert whole[0] == 0
    path = folder.root / RECORDS
    content = path.read_bytes()
    if not is_cached:
        (folder.root / CACHE).unlink()
    path.write_bytes(content + content[:40])
    code, out, err = call("report", "--format", "csv")
    assert (code, out) == whole[:2]
    number = content.count(b"\n") + 1
    assert err == f"lsbench: warning: {path}:{number}: torn last line dropped\n"
    lines = content.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], lines[3][:20] + b"\n", *lines[4:]]))
    assert is_one_line(call("report"), "records.jsonl:4: damaged line", "restore it from a copy, or remove")
    assert not list(folder.root.glob(".*parquet*"))


@pytest.mark.parametrize("verb", READERS)
def test_a_flipped_bit_is_one_plain_line_until_the_next_run_mends_it(verb, call, folder):
    whole = call(verb)
    path = folder.root / JOBS
    content = path.read_bytes()
    assert content.count(b'"wall_s": 2.0') > 1
    path.write_bytes(content.replace(b'"wall_s": 2.0', b'"wall_s": 6.0', 1))
    code, _, err = call(verb)
    assert code == 0
    assert err == (
        f"lsbench: warning: {path}:1: damaged line not used (wrong checksum); `lsbench run` restores results "
        "from the job folders\n"
    )
    with pytest.warns(LsbenchWarning):
        folder.reconcile()
    assert call(verb) == whole


def test_a_record_that_lacks_something_is_named(call, folder):
    with (folder.root / RECORDS).open("a") as file:
        file.write('{"job_id": "train-x", "metric": "top1", "protocol": "p"}\n')
    assert is_one_line(call("report"), "no record (lacks 'value')")


@pytest.mark.parametrize("content", [b"", b"PAR1 and then no more PAR1"])
def test_a_damaged_or_foreign_cache_is_made_anew_without_a_word(content, call, folder):
    whole = call("report", "--format", "json")
    (folder.root / CACHE).write_bytes(content)
    assert call("report", "--format", "json") == whole
    pd.DataFrame({"top1": [0.5]}).to_parquet(folder.root / CACHE)
    assert call("report", "--format", "json") == whole
    assert (whole[0], whole[2]) == (0, "")


def test_two_protocols_never_share_a_column_and_the_report_says_so(
    tiny, make_graph, fill_store, records_of, call
):
    def mixed(job):
        found = records_of(job)
        is_other = job.variant.name == "id" and job.kind == "evaluate"
        return [{**r, "protocol": "test|n=10|v2"} if is_other else r for r in found]

    fill_store(make_graph({**tiny, "name": "mixed"}), mixed)
    code, out, _ = call("report", "mixed", "--format", "json")
    [table] = json.loads(out)["tables"]
    shown = {c["key"]: c["protocol"] for c in table["columns"] if c["title"].startswith("top-1")}
    assert (code, set(shown.values())) == (0, {"test|n=20|v1", "test|n=10|v2"})
    for row in table["rows"]:
        assert [row[key] is None for key in shown].count(False) == 1
    assert {"top-1 (%): fashion|test|n=20|v1.", "top-1 (%): fashion|test|n=10|v2."} <= set(table["notes"])


def test_an_output_in_a_folder_that_is_not_there_makes_it_and_one_in_the_way_is_named(call, tmp_path):
    target = tmp_path / "new" / "folder" / "table.md"
    assert call("report", "--format", "markdown", "-o", target)[0] == 0
    assert target.read_text().startswith("### tiny")
    assert is_one_line(call("report", "-o", target / "table.md"), "-o", "cannot be written")
    assert is_one_line(call("report", "-o", target.parent), "cannot be written (Is a directory)")
    assert [path.name for path in target.parent.iterdir()] == ["table.md"]


#: Runs a command where no file may grow beyond 100 bytes, and nothing that is imported is compiled to one.
FULL = """
import resource, sys
sys.dont_write_bytecode = True
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
from lsbench.cli.main import main
main()
"""


def test_on_a_full_disk_the_old_output_stays_and_nothing_is_left(folder, tmp_path, warm_python):
    target = tmp_path / "table.md"
    target.write_text("old")
    words = ["report", "--format", "markdown", "-o", str(target), "--results", str(folder.root.parents[1])]
    done = subprocess.run(
        [warm_python, "-P", "-c", FULL, *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "table.md: no room to write it (File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert target.read_text() == "old"
    assert not list(tmp_path.glob(".table.md*"))
    assert not list(folder.root.glob("*cache*")) + list(folder.root.glob(".cache*"))
