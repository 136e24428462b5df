"""Contract of every logger: strict options, and one run per training, even if the training is resumed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lsbench.core.errors import ConfigError
from lsbench.core.registry import LOGGERS
from lsbench.core.spec import StrictModel
from lsbench.engine.log_delivery import open_loggers
from lsbench.loggers import LoggerKind, RunInfo


@pytest.fixture
def kind(name: str) -> LoggerKind:
    found: LoggerKind = LOGGERS.load(name)
    return found


@pytest.fixture
def run(tmp_path: Path) -> RunInfo:
    """A training that has just started."""
    folder = tmp_path / "results/tiny/default/jobs/train-1"
    folder.mkdir(parents=True)
    settings: dict[str, str | float | bool] = {"lr": 0.1, "mixer": "ls_conv", "channels_last": False}
    return RunInfo("train-1", "ls/train/seed0", "train", "tiny", "default", folder, settings)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a logger write into a folder of the test; some packages need more than this."""
    monkeypatch.chdir(tmp_path)


def test_its_options_are_strict_and_all_have_defaults(kind: LoggerKind) -> None:
    assert issubclass(kind.spec, StrictModel)
    options = kind.spec()
    assert kind.spec.model_validate_json(options.model_dump_json()) == options
    assert all(field.description or name == "tags" for name, field in kind.spec.model_fields.items())


def test_without_its_package_a_job_ends_in_its_first_moments_with_what_to_install(
    name: str, kind: LoggerKind, run: RunInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, kind.package, None)
    with pytest.raises(ConfigError, match=rf'^loggers: {name}: .*pip install "[^"]+"[^\n]*$'):
        open_loggers([name], run)
    assert list(run.folder.iterdir()) == []


@pytest.mark.usefixtures("offline")
def test_it_shows_a_training_that_is_stopped_and_continued_without_a_word_on_stdout(
    name: str, run: RunInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    loggers = open_loggers([name], run, warn=said.append)
    loggers.log(1, {"train_loss": 2.0, "val_top1": None})
    loggers.log(2, {"train_loss": 1.5, "val_top1": 0.25, "lr": 1e-3})
    loggers.close(ok=False)
    continued = RunInfo(**{**vars(run), "start_epoch": 1})
    with open_loggers([name], continued, warn=said.append) as loggers:
        for epoch in (2, 3, 2, 3):
            loggers.log(epoch, {"train_loss": 1.0 / epoch, "val_top1": 0.3, "lr": float("nan")})
    assert said == []
    assert capsys.readouterr().out == ""
