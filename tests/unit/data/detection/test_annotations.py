import numpy as np
import pytest

from lsbench.core.errors import DataError
from lsbench.data.detection.annotations import category_names, other_size, read_annotations, read_json

IDS = (1, 13, 90)


@pytest.fixture
def read(coco):
    def make(change=lambda content: None, **options):
        return read_annotations(coco(change).split("val"), IDS, **options)

    return make


def test_images_and_objects_are_in_columns_by_ascending_ids(read):
    found = read()
    assert found.image_ids.tolist() == [5, 7, 12, 30]
    assert found.names[0] == "000000000005.png"
    assert found.sizes.tolist() == [[100, 80], [60, 120], [48, 48], [20, 90]]
    assert [found.ids[found.objects(image)].tolist() for image in range(4)] == [[1, 2, 8, 0], [3, 9], [], [4]]
    assert found.labels.tolist() == [0, 2, 1, 1, 1, 0, 0], "the place among ascending ids"
    assert found.boxes_xywh[4].tolist() == [10.5, 10, 30, 20]
    assert found.is_crowd.tolist() == [False] * 5 + [True, False]
    assert found.image_of.tolist() == [0, 0, 0, 0, 1, 1, 3]
    assert len(found) == 4


def test_what_is_trained_on(read):
    """No crowds, no boxes below a pixel, none without area, no image without objects or below 32 pixels."""
    found = read()
    assert found.ids[found.is_trained_on()].tolist() == [1, 2, 3, 4]
    assert found.training_images().tolist() == [0, 1], "12 is empty, 30 is 20 pixels high"
    assert found.inside()[1].tolist() == [20, 20]

    def outside(content):
        content["annotations"][2]["bbox"] = [80, 100, 10, 10]

    assert 2 not in read(outside).ids[read(outside).is_trained_on()].tolist()


def test_outlines_are_read_only_when_asked_for(read):
    assert read(with_outlines=False).outlines is None
    assert read().outlines.masks([0], 100, 80).sum() == 2500


def test_areas_and_crowds_may_be_left_out(read):
    def bare(content):
        for entry in content["annotations"]:
            del entry["area"], entry["iscrowd"], entry["segmentation"]

    found = read(bare)
    assert found.areas.tolist() == np.prod(found.boxes_xywh[:, 2:], axis=1).tolist()
    assert not found.is_crowd.any()
    assert found.outlines is None


def test_other_categories_are_told(coco):
    file = coco().split("val")
    with pytest.raises(DataError, match=r"instances_val2017.json: expected the 2 categories .* ids 90; all"):
        read_annotations(file, (1, 13))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected a JSON file, found: Expecting property name"),
        ("[" * 100_000, "expected a JSON file, found"),
        ("[]", "expected COCO's format, found no list 'images'"),
        ('{"images": [], "annotations": {}}', "found no list 'annotations'"),
    ],
)
def test_files_that_are_none_are_told(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_json(tmp_path / "a.json")
    assert str(tmp_path / "a.json") in str(caught.value)
    with pytest.raises(DataError, match="found: No such file"):
        read_json(tmp_path / "b.json")


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ([], "expected categories, found none"),
        ([{"id": 1}], r"categories\[0\]: expected a number 'id' and a text 'name', found"),
        ([{"id": 1, "name": "a"}, {"id": 1, "name": "b"}], r"categories\[1\]: .* found 1 again \(a, b\)"),
    ],
)
def test_categories_have_ids_and_names(tmp_path, categories, message):
    with pytest.raises(DataError, match=message):
        category_names(tmp_path / "a.json", {"categories": categories})
    named = category_names(tmp_path, {"categories": [{"id": 9, "name": "b"}, {"id": 2, "name": "a"}]})
    assert list(named.items()) == [(2, "a"), (9, "b")]


def test_another_size_is_told_with_both(tmp_path):
    told = other_size(tmp_path / "a.png", (3, 4), (5, 6), tmp_path / "a.json")
    assert told.startswith(
        f"expected {tmp_path / 'a.png'} with 5 x 6 pixels as in {tmp_path / 'a.json'}, found 3 x 4"
    )
