import json

import pytest
from PIL import Image

from lsbench.core.errors import DataError, MissingDataError
from lsbench.data.datasets.coco import DATASET, CocoSpec
from lsbench.data.detection.coco import COCO_IDS, COCO_NAMES
from lsbench.data.preflight import check_data


@pytest.fixture
def root(tmp_path):
    """The published layout with two images, one of them empty."""
    categories = [{"id": key, "name": name} for key, name in zip(COCO_IDS, COCO_NAMES, strict=True)]
    for split in ("train", "val"):
        folder = tmp_path / "coco" / f"{split}2017"
        folder.mkdir(parents=True)
        for key in (9, 25):
            Image.new("RGB", (64, 48)).save(folder / f"{key:012d}.jpg")
        box = {"id": 1, "image_id": 25, "category_id": 90, "bbox": [1, 2, 30, 40], "area": 900, "iscrowd": 0}
        content = {
            "images": [
                {"id": key, "file_name": f"{key:012d}.jpg", "height": 48, "width": 64} for key in (9, 25)
            ],
            "annotations": [box],
            "categories": categories,
        }
        (tmp_path / "coco" / "annotations").mkdir(exist_ok=True)
        (tmp_path / "coco" / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))
    return tmp_path


def test_the_published_files_are_read(root):
    data = DATASET.prepare(CocoSpec(), root)
    assert data.num_classes == DATASET.num_classes(CocoSpec()) == 80
    assert data.split("test") == data.split("val")
    report = check_data(DATASET, CocoSpec(), root)
    assert report.problems == ()
    assert report.images == {"train": 2, "val": 2}
    assert "80 categories with ids from 1 to 90 and 10 gaps; class 0 is person" in report.notes
    first = DATASET.fingerprint(CocoSpec(), root)
    assert DATASET.fingerprint(CocoSpec(max_size=500), root) != first
    assert (DATASET.num_images(CocoSpec(), "train"), DATASET.num_images(CocoSpec(), "test")) == (
        118_287,
        5_000,
    )


def test_other_categories_are_a_problem(root):
    file = root / "coco" / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    del content["categories"][3]
    file.write_text(json.dumps(content))
    (problem,) = check_data(DATASET, CocoSpec(), root).problems
    assert (
        f"{file}: expected the 80 categories of the data set, found 79, which differ in the ids 4" in problem
    )


def test_missing_data_says_how_to_get_it(tmp_path):
    with pytest.raises(
        DataError, match=r"expected annotations in .*instances_<train\|val>2017.json, .* cocodataset.org"
    ):
        DATASET.fingerprint(CocoSpec(root=tmp_path), None)
    with pytest.raises(MissingDataError, match="--data DIR"):
        DATASET.prepare(CocoSpec(), None)
