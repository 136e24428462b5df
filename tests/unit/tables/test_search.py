import csv
import io

import pytest

from lsbench.core.atomic import write_json
from lsbench.core.lock import locked
from lsbench.core.registry import REPORTS
from lsbench.scheduler.run import write_manifest
from lsbench.search.book import TrialBook
from lsbench.store.results import RESULT, ResultsFolder
from lsbench.store.trials import add_epoch
from lsbench.suite.trials import templates, trials_graph
from lsbench.tables.search import trial_table
from lsbench.tables.status import read_status, status_lines
from lsbench.tables.summary import summarize
from lsbench.tables.view import View, apply_view

SETTINGS = [
    {"lr": 0.00025, "augment.flip": "x"},
    {"lr": 0.002, "augment.flip": "y"},
    {"lr": 0.003, "augment.flip": "z"},
]


@pytest.fixture
def folder(tiny, make_graph, tmp_path):
    """Four trials a row would be nine epochs long: one ended, one was stopped, one has not begun."""
    tiny["jobs"][0]["train"]["epochs"] = 3
    space = {"lr": {"uniform": [1e-4, 1e-2]}, "augment.flip": {"choice": [0.0, 1.0]}}
    tiny |= {"baseline": "id", "search": {"space": space, "budget": {"trials": 3}}}
    graph = make_graph(tiny)
    store = ResultsFolder(tmp_path / "store")
    store.create()
    book = TrialBook(store, graph.suite.search, templates(graph, 0))
    book._settle = settle_anything(book)
    book.draw(SETTINGS)
    for variant in ("ls", "id"):
        train(book, variant, 0, [0.2])
        train(book, variant, 1, [0.3, 0.6, 0.5], is_whole=True)
    more = {"search": book.search.model_dump(mode="json")}
    write_manifest(trials_graph(graph, book.jobs_expected()), store, more=more)
    return store


def settle_anything(book):
    """Return what accepts settings of any type: the table has to show words too."""
    settle = TrialBook._settle

    def run(variant, trial, settings):
        settle(book, variant, trial, {"lr": settings["lr"]})
        trial.settings = settings

    return run


def train(book, variant, number, values, is_whole=False):
    job = book.trials[variant][number].job
    job_folder = book.folder.job_folder(str(job.id))
    job_folder.mkdir(parents=True)
    for epoch, value in enumerate(values, 1):
        add_epoch(job_folder, {"ev": "epoch", "epoch": epoch, "epochs": 3, "val_top1": value})
    if is_whole:
        line = {"job_id": job.id, "status": "ok", "kind": "train", "label": job.label}
        write_json(job_folder / RESULT, {"job": line, "records": []})
    book.ended(variant, number, is_lost=False)


def test_the_best_trial_of_each_variant_comes_first_and_the_baseline_before_all(folder):
    rows = summarize(folder).rows
    assert [row.title for row in rows] == ["id #1", "id #0", "id #2", "ls #1", "ls #0", "ls #2"]


def test_each_trial_shows_its_settings_figures_and_state(folder):
    rows = list(csv.DictReader(io.StringIO(REPORTS.load("csv")([summarize(folder)]))))
    assert [row["state"] for row in rows[:3]] == ["ok", "stopped", "waiting"]
    first = {key: rows[0][key] for key in ("lr", "augment.flip", "val_top1", "best_val_top1", "epochs")}
    assert first == {
        "lr": "0.002",
        "augment.flip": "y",
        "val_top1": "0.5",
        "best_val_top1": "0.6",
        "epochs": "3.0",
    }
    assert (rows[2]["val_top1"], rows[2]["val_top1_hole"]) == ("", "waiting")


def test_turned_round_each_trial_keeps_its_own_settings_and_figures(folder):
    turned = apply_view(summarize(folder), View(is_pivoted=True))
    assert [column.title for column in turned.columns][:3] == ["id #1", "id #0", "id #2"]
    [rate] = [row for row in turned.rows if row.variant == "lr"]
    assert [rate.cells[name].text for name in ("id #1", "id #0", "id #2")] == ["0.002", "0.00025", "0.003"]


def test_a_trial_whose_process_runs_is_running_and_no_other(folder):
    [waiting] = [e["id"] for e in folder.manifest()["jobs"] if e["label"] == "id/train/trial2/seed0"]
    with locked(folder.job_lock_file(waiting), what="a trial"):
        states = {row.title: row.cells["state"].text for row in summarize(folder).rows}
    assert states == {
        **dict.fromkeys(states, "waiting"),
        **{f"{v} #1": "ok" for v in ("id", "ls")},
        **{f"{v} #0": "stopped" for v in ("id", "ls")},
        "id #2": "running",
    }


def test_small_settings_are_shown_in_full(folder):
    text = REPORTS.load("console")([summarize(folder)])
    assert "0.00025" in text
    assert "60.00" in text


def test_the_share_of_the_full_grid_is_told(folder):
    assert "8 of the full grid's 18 epochs were trained (44 %)" in summarize(folder).notes[0]


def test_a_variant_without_a_full_trial_is_named(folder):
    manifest = folder.manifest()
    for entry in manifest["jobs"]:
        if entry["variant"] == "ls":
            (folder.job_folder(entry["id"]) / RESULT).unlink(missing_ok=True)
            (folder.root / "trials.jsonl").write_text("")
    _, _, notes = trial_table(folder, manifest)
    assert "No completed trial yet: ls." in notes


def test_stopped_trials_are_neither_failures_nor_holes(folder):
    found = read_status(folder)
    assert found.counts["train"] == {"ok": 2, "stopped": 2, "waiting": 2}
    assert found.errors == {}
    assert "train: 2 ok, 2 stopped, 2 waiting" in "\n".join(status_lines(found))


def test_a_folder_without_search_has_no_table_of_trials(tiny, make_graph, fill_store):
    store = fill_store(make_graph(tiny))
    assert trial_table(store, store.manifest()) is None
