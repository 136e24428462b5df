"""Every logger of lsbench keeps the promises of its kind; a new one is covered at once."""

import ast

import pytest

from lsbench.core import registry
from lsbench.core.registry import LOGGERS
from lsbench.testing.test_logger import *  # noqa: F403 - every promise is tested here

#: Not among the packages of development: it is large, and holds others back.
APART = {"trackio": pytest.mark.trackio}


@pytest.fixture(params=[pytest.param(name, marks=APART.get(name, ())) for name in LOGGERS.own_names()])
def name(request):
    return request.param


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Whatever a logger does, it does on this machine, in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("logger", LOGGERS.own_names())
def test_its_package_is_imported_when_a_run_opens_and_not_before(logger):
    path = registry.PACKAGE_ROOT / "loggers" / f"{logger}.py"
    top = ast.parse(path.read_text(encoding="utf-8")).body
    imported = [node.module for node in top if isinstance(node, ast.ImportFrom)]
    imported += [alias.name for node in top if isinstance(node, ast.Import) for alias in node.names]
    package = LOGGERS.load(logger).package
    assert not [module for module in imported if module and module.split(".")[0] == package]
