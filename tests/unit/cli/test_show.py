import json
import re
import subprocess
import sys

import pytest

from lsbench.core.atomic import write_text
from lsbench.store.results import SPEC

EPOCHS = re.compile(r'"epochs": ?1,')


@pytest.fixture
def folder(tiny, make_graph, fill_store):
    """A suite that was run with one epoch, then with three; one job failed, and one has not run."""

    def run(content, **more):
        graph = make_graph(content)
        folder = fill_store(graph, **more)
        for job in graph.jobs:
            if job.label != "id/profile":
                write_text(folder.job_folder(job.id) / SPEC, job.model_dump_json(indent=1))
        return folder

    run(tiny)
    tiny["jobs"][0] = {"train": {"epochs": 3, "batch_size": 20}}
    return run(tiny, failed=("id/train/seed0",))


@pytest.fixture
def show(folder, call, results):
    return lambda *words: call("show", *words, "--results", results)


def id_of(folder, label):
    return next(entry["id"] for entry in folder.manifest()["jobs"] if entry["label"] == label)


def test_a_job_is_shown_with_settings_state_numbers_and_files(folder, show):
    job = folder.job_folder(id_of(folder, "ls/train/seed0"))
    write_text(job / "log.txt", "hello")
    write_text(job / "checkpoints" / "weights.pt", "w" * 2048)
    write_text(job / "checkpoints" / "step-000000006.pt", "s" * 100)
    write_text(job / "erf.png", "p")
    code, out, _ = show("ls/train/seed0")
    lines = [line.strip() for line in out.splitlines()]
    assert (code, lines[0], lines[1]) == (0, "ls/train/seed0 of tiny (default): done", f"id: {job.name}")
    assert {"epochs: 3", "mixer: ls_conv", "dataset.name: fashion", "augment.flip: 0.5"} <= set(lines)
    assert "train loss (nat): 1.5000, n=20   (train|v1, on fashion)" in lines
    assert f"log: {job / 'log.txt'} (5 B)" in lines
    assert f"weights: {job / 'checkpoints' / 'weights.pt'} (2.0 KiB)" in lines
    assert f"checkpoint: {job / 'checkpoints' / 'step-000000006.pt'} (100 B)" in lines
    assert f"picture: {job / 'erf.png'} (1 B)" in lines
    assert "other files: result.json, spec.json" in lines


@pytest.mark.parametrize("asked", ["id", "prefix", "digits"])
def test_an_id_or_the_start_of_one_is_enough(folder, show, asked):
    name = id_of(folder, "ls/evaluate/seed1")
    asked = {"id": name, "prefix": name[:-2], "digits": name.rpartition("-")[2][:9]}[asked]
    code, out, _ = show(asked)
    assert (code, out.splitlines()[0]) == (0, "ls/evaluate/seed1 of tiny (default): done")
    assert f"train: {id_of(folder, 'ls/train/seed1')}" in out


def test_a_job_of_before_is_shown_by_its_id_and_is_called_stale(folder, show):
    old = next(
        p.name for p in (folder.root / "jobs").glob("train-*") if EPOCHS.search((p / SPEC).read_text())
    )
    code, out, _ = show(old)
    assert code == 0
    assert "done, stale: the suite now expects another job in its place" in out.splitlines()[0]


def test_of_a_variant_every_job_is_shown_and_its_model_once(folder, show):
    code, out, _ = show("id")
    heads = [line for line in out.splitlines() if not line.startswith(" ")]
    assert (code, heads[0]) == (0, "id of tiny (default): 5 jobs")
    assert "id/train/seed0 of tiny (default): failed after 1 attempt: ValueError: too bad" in heads
    assert len(heads) == 6
    assert out.count("mixer: identity") == 1
    assert len([one for one in show("ls/train")[1].splitlines() if one.startswith("ls/train/")]) == 2


def test_what_never_started_is_shown_with_the_settings_of_the_suite(folder, show):
    (folder.job_folder(id_of(folder, "id/profile")) / "result.json").unlink()
    journal = folder.root / "jobs.jsonl"
    journal.write_text("".join(line for line in journal.open() if "id/profile" not in line))
    code, out, _ = show("id/profile")
    assert code == 0
    assert out.splitlines()[0].endswith("waiting: it has not started")
    assert {"    batch_size: 2", "    mixer: identity", "  numbers: none"} <= set(out.splitlines())


def test_what_has_no_data_has_no_id_and_says_so(tiny, make_graph, fill_store, call, results):
    tiny["variants"].append({"name": "big", "dataset": {"name": "imagenet"}})
    fill_store(make_graph(tiny))
    code, out, _ = call("show", "big/train/seed0", "--results", results)
    assert code == 0
    assert out.splitlines()[0].startswith("big/train/seed0 of tiny (default): no data:")
    assert call("show", "big", "--results", results)[1].startswith("big of tiny (default): 5 jobs")


def test_two_rows_with_the_same_job_are_both_found(tiny, make_graph, fill_store, call, results):
    tiny["variants"].append({"name": "twin", "mixer": "ls_conv"})
    fill_store(make_graph(tiny))
    for label in ("ls/train/seed0", "twin/train/seed0"):
        assert call("show", label, "--results", results)[1].startswith(f"{label} of tiny (default): done")


def test_numbers_stay_if_the_folder_of_a_job_is_gone(folder, show):
    job = folder.job_folder(id_of(folder, "ls/profile"))
    for path in job.iterdir():
        path.unlink()
    code, out, _ = show("ls/profile")
    assert code == 0
    assert "done before, but its folder is gone" in out
    assert "params (M): 2.000, n=20   (b=1|v1)" in out
    assert "batch_size: 2" in out


def test_json_has_one_line_per_job_with_every_number(folder, show):
    code, out, err = show("ls", "--json")
    jobs = {job["job"]: job for job in map(json.loads, out.splitlines())}
    assert (code, err, len(jobs)) == (0, "", 5)
    job = jobs["ls/evaluate/seed0"]
    assert job["settings"]["split"] == "test"
    assert {number["metric"]: number["value"] for number in job["numbers"]} == {"top1": 0.5, "top5": 0.9}
    assert job["numbers"][0]["unit"] == "fraction"
    assert job["numbers"][0]["protocol"] == "test|n=20|v1"
    assert {file["path"] for file in job["files"]} == {
        str(path) for path in folder.job_folder(job["id"]).iterdir()
    }


def test_unknown_and_ambiguous_names_end_in_one_line(folder, show, call, tmp_path):
    code, out, err = show("lss")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "lss: no job or variant has this name" in err
    assert "did you mean 'ls'?" in err
    code, _, err = show("train")
    assert (code, err.count("\n")) == (2, 1)
    assert "train: matches 8 jobs, give more digits of the id" in err
    assert call("show", "ls", "--results", tmp_path / "none")[0] == 5


def test_a_variant_of_two_suites_asks_for_one(folder, tiny, make_graph, fill_store, show):
    fill_store(make_graph({**tiny, "name": "other"}))
    code, _, err = show("ls")
    assert (code, err.count("\n")) == (2, 1)
    assert "ls: there are results in other (default), tiny (default); choose one with --suite" in err
    assert show("ls/train/seed0")[0] == 2
    assert show("ls", "--suite", "other")[1].startswith("ls of other (default): 5 jobs")
    assert show("ls", "--suite", "other", "--preset", "small")[0] == 5


def test_it_needs_no_torch(folder, results):
    code = (
        "import sys; from lsbench.cli.main import run_command; "
        f"assert run_command(['show', 'ls', '--results', {str(results)!r}]) == 0; "
        "assert not {'torch', 'timm', 'ray', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
