"""Which results stand when a metric of another package is edited."""

import json
from dataclasses import replace

import pytest

from lsbench.core.plugin_code import CodeReader, own_module_files
from lsbench.gate.collect import jobs_not_done
from lsbench.rendering.one_job import show_lines
from lsbench.scheduler.run import RunOptions, plan_run, write_manifest
from lsbench.store.earlier import set_aside
from lsbench.store.results import RESULT, SPEC
from lsbench.store.standing import PLUGINS, CodeChange, Standing, change_between, reason_of, standing_now
from lsbench.tables.frames import notebook
from lsbench.tables.frames.load import load_table
from lsbench.tables.frames.parts import OpenResults
from lsbench.tables.job_changes import find_job, known_jobs, why_lines
from lsbench.tables.one_job import read_job, to_fields
from lsbench.tables.side_by_side import ComparedResults
from lsbench.tables.status import read_status, status_lines
from lsbench.tables.summary import summarize

METRIC = """
from lsbench.core.quantity import Quantity
from .scale import SCALE
METRIC = lambda logits, targets: (logits.argmax(-1) == targets) * SCALE
QUANTITIES = (Quantity("acme_score", "fraction", True, "score"),)
"""
REASON = "code of metric acme_score changed (acme/scale.py)"


@pytest.fixture(autouse=True)
def declared(monkeypatch):
    """Every file of lsbench is declared, whatever was forgotten."""
    groups = {file: [[code]] for file, code in own_module_files().items()}
    monkeypatch.setattr("lsbench.store.standing._declared", lambda: groups)
    return groups


@pytest.fixture
def site(install):
    return install(
        {"acme.__init__": "", "acme.score": METRIC, "acme.scale": "SCALE = 1\n"},
        {"lsbench.metrics": {"acme_score": "acme.score"}},
    )


@pytest.fixture
def graph(tiny, make_graph, site):
    tiny["jobs"] = [
        "train",
        {"evaluate": {"metrics": ["top1", "acme_score"]}},
        {"evaluate": {"name": "plain"}},
    ]
    return lambda: make_graph({**tiny, "seeds": [0]})


def edit(site, text="SCALE = 2\n"):
    (site / "acme" / "scale.py").write_text(text)


def filled(fill_store, graph):
    folder = fill_store(graph)
    for job in graph.jobs:
        (folder.job_folder(job.id) / SPEC).write_text(job.model_dump_json())
    return folder


def due(folder, graph):
    return Standing(folder, {job.id: job.code for job in graph.jobs}).due()


def test_an_edit_makes_the_jobs_due_that_use_it_and_no_others(graph, site, fill_store):
    folder = filled(fill_store, graph())
    assert due(folder, graph()) == {}
    edit(site)
    again = graph()
    assert due(folder, again) == {job.id: REASON for job in again.jobs if job.name == "evaluate"}


@pytest.mark.parametrize("text", ["# a comment\nSCALE = 1\n", '"""A docstring."""\n\nSCALE = (1)\n'])
def test_comments_docstrings_and_formatting_make_nothing_due(graph, site, fill_store, text):
    folder = filled(fill_store, graph())
    edit(site, text)
    assert due(folder, graph()) == {}


def test_a_result_without_a_hash_stands(graph, site, fill_store):
    folder = filled(fill_store, graph())
    for job in graph().jobs:
        path = folder.job_folder(job.id) / RESULT
        content = json.loads(path.read_text())
        del content["job"]["code"]
        path.write_text(json.dumps(content))
    (folder.root / "jobs.jsonl").unlink()
    folder.reconcile()
    edit(site)
    assert due(folder, graph()) == {}


def test_the_jobs_own_folder_is_believed_rather_than_the_journal(graph, site, fill_store):
    folder = filled(fill_store, graph())
    (folder.root / "jobs.jsonl").unlink()  # a driver was killed before it wrote them
    edit(site)
    again = graph()
    assert len(due(folder, again)) == 2
    # Evaluated again, and killed again before the journal: it still tells of the code of before.
    folder = filled(fill_store, again)
    (folder.root / "jobs.jsonl").unlink()
    assert due(folder, again) == {}


def test_without_the_files_of_then_the_plugin_alone_is_named(graph, site, fill_store):
    folder = fill_store(graph())
    edit(site)
    assert set(due(folder, graph()).values()) == {"code of metric acme_score changed"}


def test_work_that_earlier_code_left_unfinished_is_changed_but_not_due(graph, site, fill_store):
    first = graph()
    folder = filled(fill_store, first)
    name = next(job.id for job in first.jobs if job.name == "evaluate")
    (folder.job_folder(name) / RESULT).unlink()
    (folder.root / "jobs.jsonl").unlink()
    edit(site)
    standing = Standing(folder, {name: graph().by_id()[name].code})
    assert standing.due() == {}
    assert [str(change) for change in standing.changes(name)] == [REASON]
    assert standing.changes("train-unknown") == ()


def test_readers_know_the_plugins_of_a_job_from_the_manifest(graph, site, fill_store):
    folder = filled(fill_store, graph())
    manifest = folder.manifest()
    assert "metric acme_score" in manifest[PLUGINS][graph().jobs[-2].id]
    assert standing_now(folder, manifest).due() == {}
    edit(site)
    assert set(standing_now(folder, manifest).due().values()) == {REASON}
    assert standing_now(folder, {key: value for key, value in manifest.items() if key != PLUGINS}).due() == {}


def test_code_that_cannot_be_read_lets_no_result_stand(graph, site, fill_store):
    folder = filled(fill_store, graph())
    edit(site, "def f(:\n")
    [reason] = set(standing_now(folder, folder.manifest()).due().values())
    assert reason.startswith("code of metric acme_score cannot be read: ")
    assert "scale.py:1: not valid Python" in reason


def test_a_plugin_that_is_not_installed_here_changes_nothing(graph, fill_store, monkeypatch, site):
    folder = filled(fill_store, graph())
    monkeypatch.setattr("lsbench.core.plugin_code.outside_plugins", lambda group: {})
    assert CodeReader().files("metric acme_score") == {}
    assert standing_now(folder, folder.manifest()).due() == {}


def test_the_plan_runs_what_is_due(graph, site, fill_store, tmp_path):
    first = graph()
    filled(fill_store, first)
    options = RunOptions(tmp_path / "results")
    assert plan_run(first, options).todo == ()
    edit(site)
    plan = plan_run(graph(), options)
    assert {job.label for job in plan.todo} == {"ls/evaluate/seed0", "id/evaluate/seed0"}
    assert set(plan.due.values()) == {REASON}
    assert plan_run(graph(), RunOptions(tmp_path / "results", only=["ls/train"])).due == {}


def test_the_manifest_is_written_once(graph, fill_store):
    folder = fill_store(graph())
    at = (folder.root / "manifest.json").stat().st_mtime_ns
    write_manifest(graph(), folder)
    assert (folder.root / "manifest.json").stat().st_mtime_ns == at


def test_every_reader_says_that_results_are_due_and_why(graph, site, fill_store):
    folder = filled(fill_store, graph())
    edit(site)
    table = load_table([folder])
    left = table[table.status == "due"]
    assert set(left.job) == {"evaluate"}
    assert left.metric.isna().all()
    assert set(left.error) == {REASON}
    summary = summarize(folder)
    assert f"due: 2 results are left out, as {REASON}; `lsbench run` measures again." in summary.notes
    status = read_status(folder)
    assert status.counts["evaluate"] == {"due": 2, "ok": 2}
    assert f"  due: 2 jobs, as {REASON}" in list(status_lines(status))
    assert jobs_not_done(folder) == [f"{name}/evaluate/seed0 (due: {REASON})" for name in ("ls", "id")]
    known = find_job("ls/evaluate/seed0", known_jobs(folder))
    assert f"due: {REASON}; `lsbench run` measures it again" in next(why_lines(known, known_jobs(folder)))
    assert load_table([folder], keeps_due=True).value.notna().sum() == len(folder.records())


def test_show_says_that_numbers_are_of_earlier_code(graph, site, fill_store):
    folder = filled(fill_store, graph())

    def shown(label):
        one = read_job(find_job(label, known_jobs(folder)))
        return list(show_lines([one])), to_fields(one)["due"]

    assert shown("ls/evaluate/seed0")[1] is None
    edit(site)
    lines, told = shown("ls/evaluate/seed0")
    assert "  numbers of earlier code, which no report shows:" in lines
    assert told == REASON
    assert "  numbers:" in shown("ls/train/seed0")[0]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ([("a", "x.py"), ("b", "x.py"), ("c", "y.py")], "code changed (x.py, y.py)"),
        ([("a", "x.py")], "code of a changed (x.py)"),
        ([("a", "x.py"), ("b",)], "code changed (x.py); code of b changed"),
        ([("a",), ("b",)], "code of a changed; code of b changed"),
        ([], ""),
    ],
)
def test_reasons_are_short_however_many_plugins_share_a_file(changes, text):
    assert reason_of(CodeChange(plugin, tuple(files)) for plugin, *files in changes) == text


def test_why_names_the_files_of_results_set_aside(graph, site, fill_store):
    folder = filled(fill_store, graph())
    name = next(job.id for job in graph().jobs if job.label == "ls/evaluate/seed0")
    edit(site)
    set_aside(folder, [name])
    filled(fill_store, graph())
    known = known_jobs(folder)
    lines = list(why_lines(find_job("ls/evaluate/seed0", known), known))
    assert f"  set aside in earlier/{name}/1: {REASON}" in lines


def test_two_codes_in_a_row_are_told(graph, site, fill_store, monkeypatch):
    folder = filled(fill_store, graph())
    assert OpenResults(folder).mixtures() == []
    manifest = folder.manifest()
    again = next(entry for entry in manifest["jobs"] if entry["label"] == "ls/evaluate/seed0")
    # A second seed of later code, read where the plug-in is not installed.
    path = folder.job_folder(again["id"]) / RESULT
    content = json.loads(path.read_text())
    line = {**content["job"], "job_id": "evaluate-later", "code": {"metric acme_score": "later"}}
    folder.add_job(line, [])
    manifest["jobs"].append({**again, "id": "evaluate-later", "seed": 1, "label": "ls/evaluate/seed1"})
    manifest[PLUGINS]["evaluate-later"] = ["metric acme_score"]
    monkeypatch.setattr("lsbench.core.plugin_code.outside_plugins", lambda group: {})
    told = "ls: its results are of 2 states of the code of metric acme_score; do not compare them."
    assert OpenResults(folder, manifest).mixtures() == [told]
    folder.write_manifest(manifest, "")
    assert told in summarize(folder).notes
    heard = []
    folder.warn = heard.append
    monkeypatch.setattr("lsbench.tables.frames.notebook._folders", lambda *_: [folder])
    notebook.load_table("tiny")
    assert heard == [told]


def test_a_comparison_says_which_side_is_of_earlier_code(graph, site, fill_store):
    folder = filled(fill_store, graph())
    side = ComparedResults("before", (folder,))
    assert side.code_notes() == []
    edit(site)
    assert side.code_notes() == [f"before: 2 results of earlier code, as {REASON}."]
    assert set(side.table().job) == {"train", "evaluate", "plain"}


TRAINER = "lsbench/engine/trainer.py"


@pytest.fixture
def edited_trainer(tiny, make_graph, declared):
    """Return the graph of the tiny suite, and of the same after an edit of lsbench's own trainer."""
    graph = make_graph({**tiny, "seeds": [0]})
    code = {**graph.jobs[0].code["job kind train"], TRAINER: "edited"}

    def edited(job):
        return job.model_copy(update={"code": {**job.code, "job kind train": code}})

    has_trained = [job for job in graph.jobs if "job kind train" in job.code]
    after = replace(graph, jobs=tuple(edited(job) if job in has_trained else job for job in graph.jobs))
    return graph, after, declared


def test_in_a_checkout_an_edit_of_lsbench_makes_its_jobs_due(edited_trainer, fill_store):
    graph, after, _ = edited_trainer
    folder = filled(fill_store, graph)
    assert due(folder, graph) == {}
    reason = f"code of job kind train changed ({TRAINER})"
    assert due(folder, after) == {job.id: reason for job in graph.jobs if job.kind != "profile"}


def test_a_change_declared_once_makes_nothing_due(edited_trainer, fill_store):
    graph, after, declared = edited_trainer
    folder = filled(fill_store, graph)
    declared[TRAINER][-1].append("edited")
    assert due(folder, after) == {}


def test_a_declared_change_is_no_reason_why_a_result_was_set_aside(declared):
    now = declared[TRAINER][0][0]
    declared[TRAINER][-1].append("edited")
    assert change_between("job kind train", {TRAINER: "edited"}, {TRAINER: now}) is None
    [file] = change_between("job kind train", {TRAINER: "other"}, {TRAINER: now}).files
    assert file == TRAINER
    assert change_between("mixer acme", {"acme.py": "1"}, {"acme.py": "1"}) is None
    assert change_between("mixer acme", {"acme.py": "1"}, {"acme.py": "2"}).files == ("acme.py",)


def test_a_result_without_a_hash_is_of_the_code_of_its_release(edited_trainer, fill_store):
    graph, after, declared = edited_trainer
    plain = replace(graph, jobs=tuple(job.model_copy(update={"code": {}}) for job in graph.jobs))
    folder = filled(fill_store, plain)
    assert due(folder, graph) == {}
    assert len(due(folder, after)) == 4
    declared[TRAINER][0].append("edited")
    assert due(folder, after) == {}
    declared[TRAINER] = [declared[TRAINER][0][:-1], ["edited"]]
    assert len(due(folder, after)) == 4
    del declared[TRAINER]  # as for a file that a user has put into a checkout
    assert due(folder, after) == {}


def test_an_installed_release_goes_by_the_version_of_the_kind(edited_trainer, fill_store, monkeypatch):
    graph, after, _ = edited_trainer
    folder = filled(fill_store, graph)
    monkeypatch.setattr("lsbench.store.standing.is_checkout", lambda: False)
    assert due(folder, after) == {}
