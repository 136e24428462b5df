from pathlib import Path

import pytest

from lsbench.store.room import Room, class_of, room_by_class, room_of
from lsbench.tables import comparisons
from lsbench.tables.frames import cache


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("jobs/train-1/checkpoints/weights.pt", Room.WEIGHTS),
        ("jobs/train-1/checkpoints/ema.pt", Room.WEIGHTS),
        ("jobs/train-1/checkpoints/step-000000010.pt", Room.CHECKPOINTS),
        ("jobs/train-1/checkpoints/last.pt", Room.CHECKPOINTS),
        ("jobs/train-1/snapshots/epoch-00001/step-000000010.pt", Room.CHECKPOINTS),
        ("jobs/train-1/checkpoints/step-notes.pt", Room.REST),
        ("jobs/train-1/result.json", Room.REST),
        ("jobs/train-1/cache.parquet", Room.REST),
        ("gate_history.parquet", Room.REST),
        ("records.jsonl", Room.REST),
        (cache.CACHE, Room.CACHES),
        (comparisons.CACHE, Room.CACHES),
    ],
)
def test_every_file_has_a_class(path, expected):
    assert class_of(Path(path)) is expected


def test_bytes_are_counted_and_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "large").write_bytes(b"x" * 10_000)
    root = tmp_path / "results"
    job = root / "jobs" / "train-1"
    (job / "checkpoints").mkdir(parents=True)
    (job / "checkpoints" / "weights.pt").write_bytes(b"x" * 10)
    (job / "log.txt").write_bytes(b"x" * 3)
    (root / "jobs" / "train-2").symlink_to(outside)
    (root / "cache.parquet").write_bytes(b"x" * 7)
    found = room_by_class(root)
    assert (found[Room.WEIGHTS], found[Room.CACHES], found[Room.CHECKPOINTS]) == (10, 7, 0)
    assert found[Room.REST] < 1000
    assert room_of(job) == 13
    assert room_of(root / "jobs" / "train-2") < 1000
    assert room_of(root / "nothing") == 0
