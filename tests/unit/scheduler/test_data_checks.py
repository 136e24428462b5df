import json

import numpy as np
import pytest
from PIL import Image

from lsbench.scheduler.data_checks import check_data_uses
from lsbench.suite.splits import DataUse


def annotations(root, split="train"):
    return root / "annotations" / f"{split}.json"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Three splits of one image with a box and a mask each."""
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    content = {
        "images": [{"id": 1, "file_name": "1.png", "height": 40, "width": 50}],
        "categories": [{"id": 7, "name": "dog"}],
        "annotations": [
            {
                **{"id": 5, "image_id": 1, "category_id": 7, "bbox": [2, 3, 10, 20]},
                "segmentation": [[2, 3, 12, 3, 12, 23, 2, 23]],
            }
        ],
    }
    annotations(tmp_path).parent.mkdir()
    for split in ("train", "val", "test"):
        (tmp_path / split).mkdir()
        Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / split / "1.png")
        annotations(tmp_path, split).write_text(json.dumps(content))
    return tmp_path


def edit(root, change, split="train"):
    content = json.loads(annotations(root, split).read_text())
    change(content["annotations"])
    annotations(root, split).write_text(json.dumps(content))


def use(root, label="ls/boxes", *, masks=False, splits=("train", "test")):
    settings = {"name": "coco_json", "root": str(root)}
    return DataUse(label=label, settings=settings, splits=splits, masks=masks)


def test_data_as_jobs_need_it_has_no_problem(root):
    assert check_data_uses([use(root), use(root, masks=True)]) == []
    assert check_data_uses([]) == []


def test_each_problem_is_told_once_with_the_first_job_that_it_stops(root):
    (root / "test" / "1.png").unlink()
    (line,) = check_data_uses([use(root), use(root, "ls/masks", masks=True), use(root, "id/boxes")])
    assert line.startswith(f"ls/boxes: expected {root / 'test' / '1.png'}, image 1 of ")
    assert check_data_uses([use(root, splits=("train", "val"))]) == []


def test_masks_are_missed_by_those_that_need_them_alone(root):
    for split in ("train", "test"):
        edit(root, lambda entries: entries[0].pop("segmentation"), split)
    (line,) = check_data_uses([use(root), use(root, "ls/masks", masks=True)])
    assert line == (
        f"ls/masks: expected objects with masks in {annotations(root)}, found none; add 'segmentation' to "
        "the annotations, or train a detector without masks"
    )


def test_images_that_none_can_be_trained_on_stop_a_training_alone(root):
    edit(root, lambda entries: entries[0].update(bbox=[2, 3, 0.5, 20]))
    (line,) = check_data_uses([use(root)])
    assert line.startswith(
        f"ls/boxes: expected images with boxes to train on in {annotations(root)}, found 1"
    )
    assert check_data_uses([use(root, splits=("test",))]) == []


def test_an_error_of_another_package_is_a_problem_too(root, monkeypatch):
    def fail(self, splits, *, masks):
        raise RuntimeError("no idea")

    monkeypatch.setattr("lsbench.engine.open_data.OpenData.require", fail)
    assert check_data_uses([use(root)]) == ["ls/boxes: data set 'coco_json': RuntimeError: no idea"]
