"""Contract of every data set: a quick fingerprint, sorted classes, readable images, and disjoint splits."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest

from lsbench.core.registry import DATASETS
from lsbench.data.dataset import DatasetPlugin, DatasetSpec
from lsbench.data.loading.image_list import list_images

#: Fields that make a data set small, where it has them.
SMALL = {"train_images": 20, "val_images": 20, "test_images": 20, "images_per_class": 10}
Case = tuple[DatasetPlugin, Any, Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write generated images into a folder of the test."""
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def case(name: str, tmp_path: Path, lsbench_settings: dict[str, Any]) -> Case:
    """A plug-in, a spec that is quick to prepare, and the data root."""
    plugin: DatasetPlugin = DATASETS.load(name)
    small = {field: n for field, n in SMALL.items() if field in plugin.spec.model_fields}
    return plugin, plugin.spec.model_validate({"name": name, **small, **lsbench_settings}), tmp_path / "data"


def test_it_is_a_plugin_whose_spec_has_its_name(case: Case) -> None:
    plugin, spec, _ = case
    assert issubclass(plugin.spec, DatasetSpec)
    assert DATASETS.load(spec.name) is plugin, "the spec's `name` is that of the entry point"


def test_its_spec_survives_json(case: Case) -> None:
    plugin, spec, _ = case
    assert plugin.spec.model_validate_json(spec.model_dump_json()) == spec


def test_its_fingerprint_is_stable_and_fast(case: Case) -> None:
    plugin, spec, data_root = case
    first = plugin.fingerprint(spec, data_root)
    start = time.perf_counter()
    assert plugin.fingerprint(spec, data_root) == first
    if plugin.in_memory:
        assert time.perf_counter() - start < 0.1
    assert len(first) == 64
    assert int(first, 16) >= 0
    if "train_images" in plugin.spec.model_fields:
        assert plugin.fingerprint(spec.model_copy(update={"train_images": 40}), data_root) != first


def test_its_folders_are_sorted_classes_with_readable_images(case: Case) -> None:
    plugin, spec, data_root = case
    folders = plugin.prepare(spec, data_root)
    assert list(folders.wnids) == sorted(set(folders.wnids))
    assert folders.num_classes == plugin.num_classes(spec, data_root)
    assert plugin.prepare(spec, data_root) == folders
    # A pure test set may have fewer classes than the models tested on it.
    assert folders.splits
    rows = range(folders.num_classes) if folders.subset is None else folders.subset
    assert list(rows) == sorted(set(rows))
    pictured = {folders.wnids[row] for row in rows}
    for split in folders.splits:
        images = list_images(folders, split)
        assert {path.split("/")[0] for path in images.paths} == pictured
        assert [folders.wnids[target] for target in images.targets] == [p.split("/")[0] for p in images.paths]
        assert images.decode(len(images) - 1).mode == "RGB"
        assert len(images.labels) == len(images)
        if folders.reader == "folder" and folders.numbered is None:
            present = {path.name for path in folders.split(split).iterdir() if path.is_dir()}
            assert present == pictured
        if plugin.in_memory:
            assert len(images) == plugin.num_images(spec, split)


def test_its_splits_share_no_picture(case: Case) -> None:
    plugin, spec, data_root = case
    folders = plugin.prepare(spec, data_root)
    seen: dict[str, Path] = {}
    for split in folders.splits:
        images, place = list_images(folders, split), folders.split(split)
        for index in range(len(images)):
            pixels = hashlib.sha256(images.decode(index).tobytes()).hexdigest()
            assert seen.setdefault(pixels, place) == place
