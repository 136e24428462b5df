import pytest

from lsbench.core.atomic import write_json
from lsbench.search.book import TrialBook
from lsbench.store.results import RESULT, ResultsFolder
from lsbench.store.trials import add_epoch, add_takeover, read_trials
from lsbench.suite.trials import templates

SETTINGS = [{"lr": 0.001}, {"lr": 0.002}]


@pytest.fixture
def create_book(tiny, make_graph, tmp_path):
    folder = ResultsFolder(tmp_path / "store")
    folder.create()

    def create(**search):
        space = {"lr": {"uniform": [0.001, 0.01]}}
        tiny["search"] = {"space": space, "budget": {"trials": 2}, **search}
        graph = make_graph(tiny)
        create.graph = graph
        return TrialBook(folder, graph.suite.search, templates(graph, 0))

    return create


def finish(book, trial, value, metric="val_top1"):
    folder = book.folder.job_folder(str(trial.job.id))
    folder.mkdir(parents=True, exist_ok=True)
    record = {"job_id": trial.job.id, "metric": metric, "value": value, "dataset": None, "protocol": "p"}
    record |= {"unit": "fraction", "setting": {}, **dict.fromkeys(("n", "ci_low", "ci_high", "ci_method"))}
    line = {"job_id": trial.job.id, "status": "ok"}
    write_json(folder / RESULT, {"job": line, "records": [record]})


def test_nothing_is_known_before_settings_are_drawn(create_book):
    book = create_book()
    book.open()
    assert not book.is_drawn
    assert [trial.job for trial in book.left("ls")] == [None, None]
    assert [job.id for job in book.jobs_expected()] == [None] * 4


def test_a_book_opened_again_has_the_settings_drawn_before(create_book):
    create_book().draw(SETTINGS)
    book = create_book()
    book.open()
    assert [trial.settings for trial in book.trials["id"]] == SETTINGS


@pytest.mark.parametrize(("metric", "mode", "best"), [("val_top1", "max", 1), ("train_loss", "min", 0)])
def test_the_best_is_so_in_the_direction_of_the_metric(create_book, metric, mode, best):
    book = create_book(metric=metric)
    book.draw(SETTINGS)
    for trial, value in zip(book.trials["ls"], (0.2, 0.6), strict=True):
        finish(book, trial, value, metric)
        book.ended("ls", trial.number, is_lost=False)
    assert book.search.mode == mode
    assert book.best()["ls"].number == best


def test_only_trials_trained_to_the_end_can_be_best(create_book):
    book = create_book()
    book.draw(SETTINGS)
    add_book_epoch(book, 0, val_top1=0.9)
    book.ended("ls", 0, is_lost=False)
    assert book.best() == {}
    assert book.states(["ls"]) == {"stopped": 1, "waiting": 1}


def add_book_epoch(book, number, **figures):
    folder = book.folder.job_folder(str(book.trials["ls"][number].job.id))
    folder.mkdir(parents=True, exist_ok=True)
    add_epoch(folder, {"ev": "epoch", "epoch": 1, "epochs": 3, **figures})


def test_a_line_holds_settings_epochs_and_figures(create_book):
    book = create_book()
    book.draw(SETTINGS)
    add_book_epoch(book, 1, val_top1=0.25)
    book.ended("ls", 1, is_lost=False)
    line = read_trials(book.folder)["ls", 1]
    kept = ("variant", "trial", "settings", "state", "epochs", "last", "best")
    assert [line[key] for key in kept] == ["ls", 1, {"lr": 0.002}, "stopped", 1, 0.25, 0.25]


def test_a_lost_trial_is_no_stopped_one(create_book, watcher):
    book = create_book()
    book.draw(SETTINGS)
    book.watcher = watcher
    book.ended("ls", 0, is_lost=True)
    assert len(book.left("ls")) == 2
    assert watcher.ended[0][1] == "retry"


def test_epochs_of_an_earlier_run_are_not_shown_again(create_book, watcher):
    first = create_book()
    first.draw(SETTINGS)
    add_book_epoch(first, 0, val_top1=0.25)
    book = create_book()
    book.open()
    book.watcher = watcher
    for epoch in (1, 2):
        book.progressed("ls", 0, {"ev": "epoch", "epoch": epoch})
    assert [event["epoch"] for event in watcher.progress] == [2]


def test_a_member_of_a_population_is_known_by_the_settings_it_ended_with(create_book):
    book = create_book(algorithm="pbt")
    book.draw(SETTINGS)
    trial = book.trials["ls"][0]
    finish(book, trial, 0.5)
    add_takeover(
        book.folder.job_folder(trial.job.id), {"epoch": 1, "from_trial": 1, "settings": {"lr": 0.009}}
    )
    book.ended("ls", 0, is_lost=False)
    assert book.best()["ls"].settings == {"lr": 0.009}
    assert book.best()["ls"].job.spec["lr"] == 0.009
    line = read_trials(book.folder)["ls", 0]
    assert (line["started_with"], line["settings"]) == ({"lr": 0.001}, {"lr": 0.009})


def test_a_plan_shows_what_is_left(create_book):
    book = create_book()
    book.draw(SETTINGS)
    finish(book, book.trials["ls"][0], 0.5)
    book.ended("ls", 0, is_lost=False)
    plan = book.plan(create_book.graph, ["ls"])
    assert [job.label for job in plan.todo] == ["ls/train/trial1/seed0"]
    assert [job.label for job in plan.done] == ["ls/train/trial0/seed0"]
