import struct

import pytest

from lsbench.loggers import RunInfo
from lsbench.loggers.tensorboard import LOGGER, TensorBoardSpec


def run_info(folder, **changes):
    fields = {"job_id": "train-1", "label": "ls/train/seed0", "kind": "train", "suite": "tiny"}
    return RunInfo(**{**fields, "preset": "default", "folder": folder, **changes})


def events(path):
    """Yield the events of a file: records of length, its checksum, the event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    content, start = path.read_bytes(), 0
    while start < len(content):
        (length,) = struct.unpack("<Q", content[start : start + 8])
        yield Event.FromString(content[start + 12 : start + 12 + length])
        start += length + 16


def shown(folder):
    """Return metric -> [(step, value)] as TensorBoard shows it: a session's start voids later steps."""
    from tensorboardX.proto.event_pb2 import SessionLog

    points = {}
    for path in sorted(folder.iterdir(), key=lambda path: int(path.name.rsplit(".", 1)[-1])):
        for event in events(path):
            if event.session_log.status == SessionLog.START:
                for name, found in points.items():
                    points[name] = [point for point in found if point[0] < event.step]
            for value in event.summary.value:
                points.setdefault(value.tag, []).append((event.step, round(value.simple_value, 6)))
    return points


def test_epochs_are_points_in_the_jobs_folder(tmp_path):
    logger = LOGGER.open(TensorBoardSpec(), run_info(tmp_path, settings={"lr": 0.1, "mixer": "ls_conv"}))
    logger.log(1, {"train_loss": 2.0, "val_top1": 0.25})
    logger.log(2, {"train_loss": 1.5})
    logger.close(ok=True)
    found = shown(tmp_path / "tensorboard")
    assert found["train_loss"] == [(1, 2.0), (2, 1.5)]
    assert found["val_top1"] == [(1, 0.25)]
    [path] = (tmp_path / "tensorboard").iterdir()
    assert b"| mixer | ls_conv |" in path.read_bytes()


def test_an_epoch_can_be_read_before_the_training_ends(tmp_path):
    logger = LOGGER.open(TensorBoardSpec(), run_info(tmp_path))
    logger.log(1, {"train_loss": 2.0})
    assert shown(tmp_path / "tensorboard")["train_loss"] == [(1, 2.0)]
    logger.close(ok=False)


def test_a_continued_training_voids_what_it_trains_again(tmp_path):
    first = LOGGER.open(TensorBoardSpec(), run_info(tmp_path))
    for epoch in (1, 2, 3):
        first.log(epoch, {"train_loss": float(epoch)})
    first.close(ok=False)
    second = LOGGER.open(TensorBoardSpec(), run_info(tmp_path, start_epoch=1))
    for epoch in (2, 3, 4):
        second.log(epoch, {"train_loss": 10.0 * epoch})
    second.close(ok=True)
    found = shown(tmp_path / "tensorboard")["train_loss"]
    assert found == [(1, 1.0), (2, 20.0), (3, 30.0), (4, 40.0)]


def test_going_back_within_one_training_does_too(tmp_path):
    logger = LOGGER.open(TensorBoardSpec(), run_info(tmp_path))
    for epoch, loss in ((1, 1.0), (2, 2.0), (3, 3.0), (2, 20.0), (3, 30.0)):
        logger.log(epoch, {"train_loss": loss})
    logger.close(ok=True)
    assert shown(tmp_path / "tensorboard")["train_loss"] == [(1, 1.0), (2, 20.0), (3, 30.0)]


def test_one_folder_may_hold_all_runs(tmp_path):
    spec = TensorBoardSpec(folder=str(tmp_path / "runs"))
    LOGGER.open(spec, run_info(tmp_path / "job")).close(ok=True)
    assert len(list((tmp_path / "runs/tiny/default/ls/train/seed0").iterdir())) == 1


def test_a_relative_folder_is_refused():
    with pytest.raises(ValueError, match="expected an absolute path"):
        TensorBoardSpec(folder="runs")
