"""Every registered logger keeps the promises of its kind; a new one is covered at once."""

import ast
import sys

import pytest

from lsbench.core import registry
from lsbench.core.errors import ConfigError
from lsbench.core.registry import LOGGERS
from lsbench.core.spec import StrictModel
from lsbench.engine.log_delivery import open_loggers
from lsbench.loggers import LoggerKind, RunInfo


@pytest.fixture(params=LOGGERS.names())
def name(request):
    return request.param


@pytest.fixture
def kind(name) -> LoggerKind:
    return LOGGERS.load(name)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "results/tiny/default/jobs/train-1"
    folder.mkdir(parents=True)
    settings = {"lr": 0.1, "mixer": "ls_conv", "channels_last": False}
    return RunInfo("train-1", "ls/train/seed0", "train", "tiny", "default", folder, settings)


@pytest.fixture
def _offline(tmp_path, monkeypatch):
    """Whatever a logger does, it does on this machine, in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_its_options_are_strict_and_all_have_defaults(kind):
    assert isinstance(kind, LoggerKind)
    assert issubclass(kind.spec, StrictModel)
    options = kind.spec()
    assert kind.spec.model_validate_json(options.model_dump_json()) == options
    assert all(field.description or name == "tags" for name, field in kind.spec.model_fields.items())


def test_its_package_is_imported_when_a_run_opens_and_not_before(name, kind):
    path = registry.PACKAGE_ROOT / "loggers" / f"{name}.py"
    top = ast.parse(path.read_text(encoding="utf-8")).body
    imported = [node.module for node in top if isinstance(node, ast.ImportFrom)]
    imported += [alias.name for node in top if isinstance(node, ast.Import) for alias in node.names]
    assert not [module for module in imported if module and module.split(".")[0] == kind.package]


def test_without_its_package_a_job_ends_in_its_first_moments_with_what_to_install(
    name, kind, run, monkeypatch
):
    monkeypatch.setitem(sys.modules, kind.package, None)
    with pytest.raises(ConfigError, match=rf'^loggers: {name}: .*pip install "[^"]+"[^\n]*$'):
        open_loggers([name], run)
    assert list(run.folder.iterdir()) == []


#: Not among the packages of development: it is large, and holds others back.
APART = {"trackio": pytest.mark.trackio}


@pytest.mark.usefixtures("_offline")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=APART.get(name, ())) for name in LOGGERS.names()], indirect=True
)
def test_it_shows_a_training_that_is_stopped_and_continued_without_a_word_on_stdout(name, kind, run, capsys):
    said = []
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
