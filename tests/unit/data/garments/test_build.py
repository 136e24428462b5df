import gzip
import hashlib

import numpy as np
import pytest

from lsbench.core.errors import DataError
from lsbench.data.garments import build


def toy(num_images, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (num_images, 28, 28)).astype(np.uint8)
    return images, (np.arange(num_images) % 10).astype(np.uint8)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(build, "TRAIN_PER_CLASS", 2)
    monkeypatch.setattr(build, "VAL_PER_CLASS", 1)


def test_rows_are_the_first_of_each_class_in_source_order(small):
    rows, duplicates = build.select_rows(*toy(40, 0), *toy(20, 1))
    assert rows["train"].tolist()[:4] == [0, 10, 1, 11]
    assert rows["val"].tolist() == list(range(20, 30))
    assert rows["test"].tolist()[:4] == [0, 10, 1, 11]
    assert duplicates == 0


def test_copies_of_test_images_and_of_each_other_are_skipped(small):
    images, labels = toy(60, 0)
    test_images, test_labels = toy(20, 1)
    images[0] = test_images[0]
    images[20] = images[10]
    rows, duplicates = build.select_rows(images, labels, test_images, test_labels)
    assert duplicates == 2
    assert rows["train"].tolist()[:2] == [10, 30]
    assert rows["val"][0] == 40


def test_too_few_images_are_reported(small):
    with pytest.raises(DataError, match="distinct training images"):
        build.select_rows(*toy(20, 0), *toy(20, 1))


def write_source(folder, monkeypatch):
    checksums = {}
    for name, count in (("train", 40), ("t10k", 20)):
        images, labels = toy(count, count)
        for part, head, array in (("images-idx3", 16, images), ("labels-idx1", 8, labels)):
            path = folder / f"{name}-{part}-ubyte.gz"
            path.write_bytes(gzip.compress(b"\0" * head + array.tobytes()))
            checksums[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(build, "SOURCES", checksums)


def test_the_command_writes_then_confirms(tmp_path, monkeypatch, small, capsys):
    write_source(tmp_path, monkeypatch)
    monkeypatch.setattr(build, "PACK", tmp_path / "pack.xz")
    monkeypatch.setattr(build, "MANIFEST", tmp_path / "manifest.json")
    assert build.main(["--source", str(tmp_path), "--check"]) == 2
    assert "different: pack.xz, manifest.json" in capsys.readouterr().out
    assert build.main(["--source", str(tmp_path)]) == 0
    assert build.main(["--source", str(tmp_path), "--check"]) == 0


def test_a_wrong_or_missing_source_is_refused(tmp_path, monkeypatch, capsys):
    assert build.main(["--source", str(tmp_path)]) == 2
    assert "found nothing" in capsys.readouterr().err
    write_source(tmp_path, monkeypatch)
    next(tmp_path.glob("train-images*")).write_bytes(b"other")
    with pytest.raises(DataError, match="expected sha256"):
        build.read_source(tmp_path)
