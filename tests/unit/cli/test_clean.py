import json
import subprocess
import sys
from dataclasses import replace

import pytest

from lsbench.core.atomic import write_text
from lsbench.core.lock import locked
from lsbench.scheduler.run import write_manifest
from lsbench.store.results import SPEC


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph(tiny)


@pytest.fixture
def folder(graph, fill_store):
    """A suite that was run, and then lost its variant `ls`."""
    folder = fill_store(graph)
    for job in graph.jobs:
        write_text(folder.job_folder(job.id) / SPEC, job.model_dump_json())
        if job.kind == "train":
            write_text(folder.job_folder(job.id) / "checkpoints" / "weights.pt", "w" * 100)
            write_text(folder.job_folder(job.id) / "checkpoints" / "step-000000002.pt", "s" * 1024)
    write_manifest(replace(graph, jobs=tuple(job for job in graph.jobs if job.variant.name == "id")), folder)
    return folder


@pytest.fixture
def clean(call, results):
    return lambda *words: call("clean", *words, "--results", results)


def test_without_yes_it_says_what_would_go_and_removes_nothing(folder, graph, clean):
    before = sorted(folder.root.rglob("*"))
    code, out, err = clean("tiny")
    lines = out.splitlines()
    assert (code, err, lines[0]) == (0, "", f"{folder.root}:")
    assert "  step checkpoints of finished trainings: 2 files, 2.0 KiB" in lines
    [stale] = [line for line in lines if "no longer expects" in line]
    assert stale.startswith("  jobs that the suite no longer expects: 5 folders, ")
    named = [line.split()[1].strip(",") for line in lines if line.startswith("    ")]
    assert sorted(named) == sorted(job.label for job in graph.jobs if job.variant.name == "ls")
    assert lines[-1].startswith("would free ")
    assert lines[-1].endswith("; nothing is removed without --yes")
    assert sorted(folder.root.rglob("*")) == before


def test_with_yes_it_removes_just_that_and_a_second_time_nothing(folder, clean):
    said = clean()[1].splitlines()
    code, out, _ = clean("--yes")
    assert code == 0
    assert out.splitlines()[:-1] == said[:-1]
    assert out.splitlines()[-1] == said[-1].replace("would free", "freed").partition(";")[0]
    code, out, _ = clean("--yes")
    assert (code, out) == (0, f"{folder.root}: nothing to remove\nfreed 0 B\n")


def test_json_has_one_line_per_folder(folder, clean):
    code, out, err = clean("--json")
    [found] = map(json.loads, out.splitlines())
    assert (code, found["folder"], found["is_removed"]) == (0, str(folder.root), False)
    assert found["checkpoints"]["bytes"] == 2048
    assert found["jobs"]["count"] == 5
    assert found["bytes"] == sum(found[name]["bytes"] for name in ("checkpoints", "jobs", "caches"))
    assert err.startswith("would free ")


def test_results_in_use_are_left_alone_and_the_others_cleaned(folder, clean, tiny, make_graph, fill_store):
    other = fill_store(make_graph({**tiny, "name": "other"}))
    write_text(other.root / "cache.parquet", "derived")
    with locked(folder.lock_file, what="run"):
        before = sorted(folder.root.rglob("*"))
        code, out, _ = clean()
        assert code == 0
        assert f"{folder.root}: left alone: a run uses it" in out
        code, _, err = clean("--yes")
        assert (code, err.count("\n")) == (2, 1)
        assert f"results folder {folder.root} is in use by process" in err
        assert sorted(folder.root.rglob("*")) == before
    assert not (other.root / "cache.parquet").exists()


def test_no_results_are_no_results(clean):
    assert clean()[0] == 5
    assert clean("nope")[0] == 2


def test_it_needs_no_torch(folder, results):
    code = (
        "import sys; from lsbench.cli.main import run_command; "
        f"assert run_command(['clean', '--yes', '--results', {str(results)!r}]) == 0; "
        "assert not {'torch', 'timm', 'ray', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
