import json

import pytest
from PIL import Image
from pydantic import ValidationError

from lsbench.core.errors import DataError
from lsbench.data.datasets.coco_json import DATASET, CocoJsonSpec
from lsbench.data.preflight import check_data


@pytest.fixture
def root(tmp_path):
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        Image.new("RGB", (64, 48)).save(tmp_path / split / "a.png")
        content = {
            "images": [{"id": 3, "file_name": "a.png", "height": 48, "width": 64}],
            "annotations": [{"id": 0, "image_id": 3, "category_id": 20, "bbox": [1, 2, 30, 40]}],
            "categories": [{"id": 20, "name": "dog"}, {"id": 10, "name": "cat"}],
        }
        write(tmp_path, split, content)
    return tmp_path


def write(root, split, content):
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"{split}.json").write_text(json.dumps(content))


def test_ones_own_categories_are_classes_by_ascending_ids(root):
    spec = CocoJsonSpec(root=root)
    data = DATASET.prepare(spec, None)
    assert (data.categories, data.category_ids) == (("cat", "dog"), (10, 20))
    assert DATASET.num_classes(spec) == 2
    assert DATASET.num_images(spec, "train") is None
    assert data.split("test") == root / "annotations" / "val.json"
    report = check_data(DATASET, spec, None)
    assert report.problems == ()
    assert any("boxes but no masks" in note for note in report.notes)
    assert DATASET.fingerprint(spec, None) != DATASET.fingerprint(
        spec.model_copy(update={"max_size": 9}), None
    )


def test_splits_with_other_categories_are_refused(root):
    content = json.loads((root / "annotations" / "val.json").read_text())
    content["categories"][0]["name"] = "wolf"
    write(root, "val", content)
    with pytest.raises(DataError, match=r"expected in .*val.json the categories of 'train', .* differ in 20"):
        DATASET.prepare(CocoJsonSpec(root=root), None)


def test_other_places_can_be_named(root):
    (root / "annotations" / "train.json").rename(root / "set_train.json")
    spec = CocoJsonSpec(root=root, annotations="set_<split>.json", images="<split>")
    assert list(DATASET.prepare(spec, None).splits) == ["train"]
    with pytest.raises(ValidationError, match=r"expected <split> in the path"):
        CocoJsonSpec(root=root, annotations="all.json")


def test_a_missing_set_and_a_broken_one_are_one_line(root, tmp_path):
    with pytest.raises(DataError, match=r"expected annotations in .*nowhere"):
        DATASET.num_classes(CocoJsonSpec(root=tmp_path / "nowhere"))
    (root / "annotations" / "train.json").write_text("{")
    (problem,) = check_data(DATASET, CocoJsonSpec(root=root), None).problems
    assert problem.startswith(f"{root / 'annotations' / 'train.json'}: expected a JSON file")
