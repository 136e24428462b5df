import json
import struct
import sys
import types

import pytest
import wandb

from lsbench.loggers import RunInfo
from lsbench.loggers.wandb import LOGGER, WandbSpec


def run_info(folder, **changes):
    fields = {"job_id": "train-1", "label": "ls/train/seed0", "kind": "train", "suite": "tiny"}
    return RunInfo(**{**fields, "preset": "default", "folder": folder, **changes})


class FakeRun:
    """A run that notes what it is told."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *args, **options: self.calls.append((name, args, options))


@pytest.fixture
def fake(monkeypatch):
    """The wandb package, as far as it is used; `given` is what a run was started with."""
    module = types.ModuleType("wandb")
    module.run, module.given = FakeRun(), {}
    module.Settings = types.SimpleNamespace
    module.init = lambda **options: module.given.update(options) or module.run
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


def test_a_run_is_named_after_its_job_and_continued_under_its_id(fake, tmp_path):
    LOGGER.open(WandbSpec(), run_info(tmp_path, settings={"lr": 0.1}, start_epoch=3))
    given = fake.given
    assert (given["id"], given["resume"]) == ("train-1", "allow")
    assert (given["project"], given["group"], given["name"]) == ("tiny", "tiny/default", "ls/train/seed0")
    assert (given["config"], given["dir"], given["mode"]) == ({"lr": 0.1}, str(tmp_path), None)
    assert not hasattr(given["settings"], "base_url")


def test_options_go_where_they_belong(fake, tmp_path):
    spec = WandbSpec(
        project="p", entity="e", group="g", tags=("a", "b"), url="https://wandb.example", mode="offline"
    )
    LOGGER.open(spec, run_info(tmp_path))
    given = fake.given
    assert [given[key] for key in ("project", "entity", "group", "tags", "mode")] == [
        *("p", "e", "g"),
        ["a", "b"],
        "offline",
    ]
    assert given["settings"].base_url == "https://wandb.example"


def test_epochs_are_the_axis_and_the_end_says_how_it_went(fake, tmp_path):
    logger = LOGGER.open(WandbSpec(), run_info(tmp_path))
    logger.log(7, {"val_top1": 0.5})
    logger.close(ok=False)
    assert ("define_metric", ("*",), {"step_metric": "epoch"}) in fake.run.calls
    assert fake.run.calls[-2:] == [
        ("log", ({"epoch": 7, "val_top1": 0.5},), {}),
        ("finish", (), {"exit_code": 1}),
    ]


def logged(path):
    """Return the rows in an offline run's file: a seven byte header, then blocks of checked records."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, start, record, rows = path.read_bytes(), 7, b"", []
    while start + 7 <= len(content):
        left = 32768 - start % 32768
        if left < 7:
            start += left
            continue
        _, length, kind = struct.unpack("<IHB", content[start : start + 7])
        record += content[start + 7 : start + 7 + length]
        start += 7 + length
        if kind in (1, 4):  # whole, or the last part
            history = Record.FromString(record).history
            rows.append(
                {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in history.item}
            )
            record = b""
    return [row for row in rows if row]


def test_the_real_package_writes_both_parts_of_a_continued_run_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for start in (0, 2):
        folder = tmp_path / f"after-{start}"  # the package names folders after the second of the start
        folder.mkdir()
        logger = LOGGER.open(WandbSpec(), run_info(folder, settings={"lr": 0.1}, start_epoch=start))
        for epoch in (start + 1, start + 2):
            logger.log(epoch, {"val_top1": epoch / 10})
        logger.close(ok=True)
    wandb.teardown()  # its service may still be writing when a run has finished
    files = sorted(tmp_path.glob("*/wandb/offline-run-*-train-1/run-train-1.wandb"))
    rows = [{key: row[key] for key in ("epoch", "val_top1")} for file in files for row in logged(file)]
    assert sorted(rows, key=lambda row: row["epoch"]) == [
        {"epoch": epoch, "val_top1": epoch / 10} for epoch in (1, 2, 3, 4)
    ]
