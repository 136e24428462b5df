import random
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lsbench.core.errors import ConfigError
from lsbench.core.job import JobContext
from lsbench.core.spec import StrictModel
from lsbench.engine.log_delivery import MultiLogger, open_loggers, run_info
from lsbench.loggers import ChosenLogger, LoggerKind, RunInfo


class Seen:
    """A logger that works on some calls and not on others.

    Attributes:
        points: What it has been shown, in order.
        ends: How it was closed.
        calls: Calls of `log`, also those that failed.
        is_away: Says before each call whether its server is away.
    """

    def __init__(self, is_away: Callable[[], bool] = lambda: False) -> None:
        self.points: list[tuple[int, dict[str, float]]] = []
        self.ends: list[bool] = []
        self.calls = self.opened = 0
        self.is_away = is_away

    def open(self, options: Any, run: RunInfo) -> "Seen":
        if self.is_away():
            raise ConnectionError("server away\nwith details")
        self.opened += 1
        return self

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self.calls += 1
        if self.is_away():
            raise ConnectionError("server away\nwith details")
        self.points.append((epoch, dict(metrics)))

    def close(self, ok: bool) -> None:
        if self.is_away():
            raise ConnectionError("server away")
        self.ends.append(ok)


def choose(logger: Any, name: str = "seen") -> ChosenLogger:
    return ChosenLogger(name, LoggerKind(StrictModel, "json", "json", logger.open), StrictModel())


@pytest.fixture
def run(tmp_path: Path) -> RunInfo:
    return RunInfo("train-1", "ls/train/seed0", "train", "tiny", "default", tmp_path)


@pytest.fixture
def said() -> list[str]:
    return []


def test_every_logger_is_shown_every_epoch_and_how_it_ended(run):
    first, second = Seen(), Seen()
    with MultiLogger([choose(first), choose(second)], run) as loggers:
        loggers.log(1, {"loss": 2.0, "val_top1": None})
        loggers.log(2, {"loss": 1.5, "val_top1": 0.25})
    expected = [(1, {"loss": 2.0}), (2, {"loss": 1.5, "val_top1": 0.25})]
    assert first.points == second.points == expected
    assert first.ends == second.ends == [True]


def test_a_training_that_raises_is_closed_as_failed(run):
    seen = Seen()
    with pytest.raises(KeyError), MultiLogger([choose(seen)], run):
        raise KeyError("x")
    assert seen.ends == [False]


def test_a_server_that_goes_away_is_said_once_and_caught_up_when_it_is_back(run, said):
    away = {"now": False}
    flaky, steady = Seen(lambda: away["now"]), Seen()
    with MultiLogger([choose(flaky, "flaky"), choose(steady)], run, warn=said.append) as loggers:
        for epoch in range(1, 21):
            away["now"] = 3 <= epoch <= 9
            loggers.log(epoch, {"loss": 1.0 / epoch})
    assert [epoch for epoch, _ in flaky.points] == [epoch for epoch, _ in steady.points] == list(range(1, 21))
    assert len(said) == 1
    assert said[0].startswith("logger flaky: ConnectionError: server away; the training continues")


def test_a_server_that_stays_away_is_tried_ever_less_often_and_never_fails_the_training(run, said):
    opened = {"is": False}
    seen = Seen(lambda: opened["is"])
    with MultiLogger([choose(seen)], run, warn=said.append) as loggers:
        opened["is"] = True
        for epoch in range(1, 301):
            loggers.log(epoch, {"loss": 1.0})
    assert (seen.points, seen.ends, len(said)) == ([], [], 1)
    assert seen.calls <= 10


def test_a_server_that_is_away_at_the_start_is_opened_later(run, said):
    away = {"now": True}
    seen = Seen(lambda: away["now"])
    with MultiLogger([choose(seen)], run, warn=said.append) as loggers:
        loggers.log(1, {"loss": 3.0})
        away["now"] = False
        loggers.log(2, {"loss": 2.0})
        loggers.log(3, {"loss": 1.0})
    assert [epoch for epoch, _ in seen.points] == [1, 2, 3]
    assert (seen.opened, seen.ends, len(said)) == (1, [True], 1)


def test_without_a_listener_of_its_own_trouble_is_a_warning(run):
    with (
        pytest.warns(UserWarning, match="logger seen: ConnectionError"),
        MultiLogger([choose(Seen(lambda: True))], run),
    ):
        pass


def test_a_long_complaint_is_cut_to_a_line(run, said):
    def complain() -> bool:
        raise ConnectionError("no way " * 100)

    with MultiLogger([choose(Seen(complain))], run, warn=said.append):
        pass
    assert "no way ...; the training continues" in said[0]
    assert len(said[0]) < 400


def test_a_logger_that_leaves_the_process_does_not_end_the_training(run, said):
    with MultiLogger([choose(Seen(lambda: sys.exit(3)))], run, warn=said.append) as loggers:
        loggers.log(1, {"train_loss": 1.0})
    assert len(said) == 1
    assert said[0].startswith("logger seen: SystemExit: 3; the training continues")


def test_a_stop_by_the_user_is_no_trouble_of_a_logger(run):
    def stop() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MultiLogger([choose(Seen(stop))], run)


def test_a_logger_that_draws_random_numbers_changes_no_training(run):
    def draw() -> bool:
        random.random()
        np.random.random()
        torch.rand(1)
        return False

    def state() -> list[Any]:
        return [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]

    before = state()
    with MultiLogger([choose(Seen(draw))], run) as loggers:
        loggers.log(1, {"loss": 1.0})
    assert state() == before
    draw()
    assert state() != before


def test_all_loggers_that_are_not_installed_are_named_before_one_is_opened(run, monkeypatch):
    for name in ("wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError) as caught:
        open_loggers(["tensorboard", {"wandb": {"project": "x"}}, "mlflow"], run)
    assert len(caught.value.problems) == 2
    assert caught.value.problems[0].startswith("loggers: wandb: cannot be imported here (")
    assert 'pip install "lsbench[wandb]"' in caught.value.problems[0]
    assert list(run.folder.iterdir()) == []


def test_a_package_that_lacks_a_part_is_as_good_as_none(run):
    def lacks() -> bool:
        raise ModuleNotFoundError("No module named 'sqlalchemy'")

    with pytest.raises(ConfigError, match="seen: cannot be imported here"):
        MultiLogger([choose(Seen(lacks))], run)


def test_no_loggers_are_nothing(run):
    with open_loggers((), run) as loggers:
        loggers.log(1, {"loss": 1.0})


def test_options_reach_the_logger(run, monkeypatch):
    fake: Any = types.ModuleType("trackio")
    given: list[dict[str, Any]] = []
    fake.init = lambda **options: given.append(options) or types.SimpleNamespace(finish=lambda: None)
    monkeypatch.setitem(sys.modules, "trackio", fake)
    with open_loggers([{"trackio": {"project": "mine"}}], run):
        pass
    assert given[0]["project"] == "mine"


def test_loggers_are_told_model_data_and_recipe_as_flat_settings(tiny, make_graph, tmp_path):
    job = next(job for job in make_graph(tiny).jobs if job.label == "ls/train/seed1")
    job = job.model_copy(update={"spec": {**job.spec, "loggers": ["tensorboard"], "betas": [0.9, 0.99]}})
    folder = tmp_path / "results" / "tiny" / "default+limit=2" / "jobs" / str(job.id)
    context = JobContext(job=job, spec=None, folder=folder, needs={}, device="cpu", emit=lambda event: None)
    found = run_info(context, start_epoch=4)
    assert (found.suite, found.preset, found.label) == ("tiny", "default+limit=2", "ls/train/seed1")
    assert (found.job_id, found.kind, found.start_epoch) == (job.id, "train", 4)
    settings = found.settings
    assert settings["mixer"] == "ls_conv"
    assert (settings["dataset.name"], settings["dataset.train_images"]) == ("fashion", 40)
    assert (settings["batch_size"], settings["seed"], settings["betas"]) == (20, 1, "[0.9, 0.99]")
    assert "loggers" not in settings
    assert all(isinstance(value, (str, int, float)) for value in settings.values())
