import subprocess
import sys
import types

import pytest

from lsbench.loggers import RunInfo
from lsbench.loggers.trackio import LOGGER, TrackioSpec


def run_info(folder, **changes):
    fields = {"job_id": "train-1", "label": "ls/train/seed0", "kind": "train", "suite": "tiny"}
    return RunInfo(**{**fields, "preset": "default", "folder": folder, **changes})


@pytest.fixture
def fake(monkeypatch):
    """The trackio package, as far as it is used: it prints, as the real one does."""
    module = types.ModuleType("trackio")
    module.given, module.calls = {}, []

    def log(metrics, step=None):
        module.calls.append((step, metrics))

    def init(**options):
        print("* Trackio project initialized")
        module.given.update(options)
        return types.SimpleNamespace(log=log, finish=lambda: print("* Run finished"))

    module.init = init
    monkeypatch.setitem(sys.modules, "trackio", module)
    return module


def test_a_run_is_found_again_by_its_name(fake, tmp_path):
    LOGGER.open(TrackioSpec(), run_info(tmp_path, settings={"lr": 0.1}))
    assert fake.given == {
        "project": "tiny",
        "name": "ls/train/seed0 train-1",
        "group": "tiny/default",
        "config": {"lr": 0.1},
        "resume": "allow",
        "embed": False,
    }


def test_options_go_where_they_belong(fake, tmp_path):
    LOGGER.open(TrackioSpec(project="p", group="g", space="me/space"), run_info(tmp_path))
    assert [fake.given[key] for key in ("project", "group", "space_id")] == ["p", "g", "me/space"]
    assert "server_url" not in fake.given


def test_epochs_are_steps_and_a_failed_run_says_so(fake, tmp_path):
    logger = LOGGER.open(TrackioSpec(), run_info(tmp_path))
    logger.log(3, {"val_top1": 0.5})
    logger.close(ok=False)
    assert fake.calls == [(3, {"val_top1": 0.5}), (None, {"failed": 1})]


def test_what_the_package_prints_never_reaches_stdout(fake, tmp_path, capsys):
    LOGGER.open(TrackioSpec(), run_info(tmp_path)).close(ok=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Run finished" in captured.err


REAL = """
import sys
from pathlib import Path
from lsbench.loggers import RunInfo
from lsbench.loggers.trackio import LOGGER, TrackioSpec
folder = Path(sys.argv[1])
for start in (0, 2):
    run = RunInfo("train-1", "ls/train/seed0", "train", "tiny", "default", folder, {"lr": 0.1}, start)
    logger = LOGGER.open(TrackioSpec(), run)
    for epoch in (start + 1, start + 2):
        logger.log(epoch, {"val_top1": epoch / 10})
    logger.close(ok=True)
from trackio.sqlite_storage import SQLiteStorage
[name] = SQLiteStorage.get_runs("tiny")
print(name, [(row["step"], row["val_top1"]) for row in SQLiteStorage.get_logs("tiny", name)])
"""


@pytest.mark.trackio
def test_the_real_package_shows_a_continued_training_as_one_run(tmp_path, monkeypatch):
    """In a process of its own: the package reads its folder once, at import."""
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    command = [sys.executable, "-c", REAL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = "ls/train/seed0 train-1 [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]"
    assert done.stdout.splitlines()[:1] == [expected], done.stderr
