"""Contract of every data set: a quick fingerprint, readable images and targets, and disjoint splits."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest

from lsbench.core.registry import DATASETS
from lsbench.core.tasks import task_of
from lsbench.data.dataset import DatasetPlugin, DatasetSpec, ImageFolders, PreparedData
from lsbench.data.detection.files import DetectionFiles
from lsbench.data.detection.samples import open_split as open_boxes
from lsbench.data.loading.image_files import ImageFiles
from lsbench.data.loading.image_list import ImageList, list_images
from lsbench.data.preflight import check_prepared
from lsbench.data.segmentation.folders import IGNORED, LabelMapFolders
from lsbench.data.segmentation.samples import open_split as open_label_maps

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


def test_what_it_prepares_is_for_its_task_and_passes_its_check(case: Case) -> None:
    plugin, spec, data_root = case
    prepared = plugin.prepare(spec, data_root)
    assert prepared.task == task_of(plugin), "`task` of the plug-in says what `prepare` returns"
    assert prepared.num_classes == plugin.num_classes(spec, data_root)
    assert plugin.prepare(spec, data_root) == prepared
    assert prepared.splits
    report = check_prepared(prepared, str(spec.name))
    assert report.problems == ()
    if getattr(plugin, "is_generated", False):
        assert report.images == {split: plugin.num_images(spec, split) for split in report.images}


def test_its_folders_are_sorted_classes_with_readable_images(case: Case) -> None:
    plugin, spec, data_root = case
    folders = plugin.prepare(spec, data_root)
    if not isinstance(folders, ImageFolders):
        return
    assert list(folders.wnids) == sorted(set(folders.wnids))
    # A pure test set may have fewer classes than the models tested on it.
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


def test_its_boxes_are_inside_of_their_images(case: Case) -> None:
    plugin, spec, data_root = case
    data = plugin.prepare(spec, data_root)
    if not isinstance(data, DetectionFiles):
        return
    for split in data.splits:
        opened = open_boxes(data, split, with_masks=False, for_training=True)
        for index in range(len(opened)):
            image, target = opened.read(index)
            boxes = target["boxes"]
            assert len(boxes) == len(target["labels"]) > 0
            assert 0 <= target["labels"].min() <= target["labels"].max() < data.num_classes
            assert (boxes[:, 2:] > boxes[:, :2]).all()
            assert boxes[:, 2].min() > 0
            assert boxes[:, 0].max() < image.shape[2]


def test_its_label_maps_hold_classes_alone(case: Case) -> None:
    plugin, spec, data_root = case
    data = plugin.prepare(spec, data_root)
    if not isinstance(data, LabelMapFolders):
        return
    for split in data.splits:
        opened = open_label_maps(data, split)
        for index in range(len(opened)):
            image, label_map = opened.read(index)
            assert label_map.shape == image.shape[1:]
            assert set(label_map.unique().tolist()) <= {*range(data.num_classes), IGNORED}


def pictures(prepared: PreparedData, split: str) -> ImageList | ImageFiles:
    """The images of a split, whatever the task."""
    if isinstance(prepared, DetectionFiles):
        return open_boxes(prepared, split, with_masks=False, for_training=False).files
    if isinstance(prepared, LabelMapFolders):
        return open_label_maps(prepared, split).images
    assert isinstance(prepared, ImageFolders)
    return list_images(prepared, split)


def test_its_splits_share_no_picture(case: Case) -> None:
    plugin, spec, data_root = case
    prepared = plugin.prepare(spec, data_root)
    seen: dict[str, Path] = {}
    for split in prepared.splits:
        images, place = pictures(prepared, split), prepared.split(split)
        for index in range(len(images)):
            pixels = hashlib.sha256(images.decode(index).tobytes()).hexdigest()
            assert seen.setdefault(pixels, place) == place
