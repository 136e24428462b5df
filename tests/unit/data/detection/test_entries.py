import numpy as np
import pytest

from lsbench.core.errors import DataError
from lsbench.data.detection.entries import read_images, read_objects

IDS = np.array([1, 13, 90])
A, M = "annotations", "images"


def change(kind, place, **values):
    def apply(content):
        for key, value in values.items():
            if value is KeyError:
                del content[kind][place][key]
            else:
                content[kind][place][key] = value

    return apply


@pytest.fixture
def read(coco, tmp_path):
    """Read the images and objects of a changed content; names the file as the message does."""
    from lsbench.data.detection.annotations import read_json

    def make(changed):
        file = coco(changed).split("val")
        content = read_json(file)
        images = read_images(file, content["images"])
        return read_objects(file, content["annotations"], images, IDS)

    return make


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (change(A, 2, image_id=77), r"annotations\[2\] \(id 2\): .* of the images, found image_id 77"),
        (change(A, 0, category_id=2), r"annotations\[0\] \(id 3\): .* categories, found category_id 2"),
        (change(A, 0, category_id="13"), r"found category_id '13'"),
        (change(A, 1, bbox=KeyError), r"annotations\[1\] \(id 1\): expected 'bbox', found none"),
        (change(A, 1, bbox=[1, 2, 3]), r"four finite numbers .* found \[1, 2, 3\]"),
        (change(A, 1, bbox=[1, 2, -3, 4]), r"found \[1, 2, -3, 4\]"),
        (change(A, 1, bbox=[1, 2, float("nan"), 4]), r"expected 'bbox' as four finite numbers"),
        (change(A, 1, area="big"), r"a number 'area', found .* and 'big'"),
        (change(A, 1, iscrowd="0"), r"expected 'iscrowd' as 0 or 1, found '0'"),
        (change(A, 1, id=3), r"annotations\[1\] \(id 3\): expected ids that differ"),
        (change(M, 1, width=KeyError), r"images\[1\]: .* found \{'id': 12"),
        (change(M, 1, height=0), r"images\[1\]: expected"),
        (change(M, 1, id=5), r"images\[3\]: expected ids that differ, found 5 again"),
        (change(M, 1, file_name="000000000005.png"), r"images\[3\]: .* names that differ"),
        (change(M, 1, file_name="../x.png"), r"images\[1\]: expected a file below the folder of images"),
        (lambda content: content.update(images=[]), r"expected images, found none"),
        (lambda content: content.update(annotations=[3]), r"annotations\[0\]: expected a mapping, found 3"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_named_in_one_line(read, changed, message):
    with pytest.raises(DataError, match=message) as caught:
        read(changed)
    assert "\n" not in str(caught.value)
    assert "instances_val2017.json: " in str(caught.value)


def test_an_annotation_may_have_the_id_zero(read):
    assert 0 in read(lambda content: None).ids


def test_without_annotations_there_are_no_objects(read):
    found = read(lambda content: content.update(annotations=[]))
    assert found.boxes_xywh.shape == (0, 4)
    assert len(found.ids) == len(found.labels) == len(found.image) == 0
