import numpy as np
import pytest
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.preflight import check_prepared


def test_a_report_counts_what_there_is(coco):
    report = check_prepared(coco(), "own")
    assert report.problems == ()
    assert (report.classes, report.known_classes, report.images, report.looked_at) == (3, 3, {"val": 4}, 4)
    told = "\n".join(report.notes)
    assert "3 categories with ids from 1 to 90 and 87 gaps; class 0 is cat" in told
    assert "val: 7 objects in 3 images, 1 of them crowds" in told
    assert "val: 1 image is empty" in told
    assert "val: 1 box reaches outside of the image (first: annotation 2)" in told
    assert "val: 2 boxes are not trained on: below 1 pixel" in told
    assert "val: 2 of 4 images can be trained on" in told
    assert check_prepared(coco().at_most(2), "own").images == {"val": 2}


def test_what_is_missing_or_another_size_is_a_problem(coco):
    data = coco()
    path = data.images["val"] / "000000000007.png"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(path)
    (problem,) = check_prepared(data, "own").problems
    assert problem.startswith(f"expected {path} with 60 x 120 pixels as in {data.split('val')}, found 9 x 9")
    path.unlink()
    (problem,) = check_prepared(data, "own").problems
    assert problem.startswith(f"expected {path}, image 7 of {data.split('val')}, found no file; add")
    (data.images["val"] / "000000000005.png").unlink()
    assert "found no file (and 1 more of 4); add" in check_prepared(data, "own").problems[0]


def test_only_empty_images_and_absent_categories_are_told(coco):
    (problem,) = check_prepared(coco(lambda content: content.update(annotations=[])), "own").problems
    assert "found only empty images" in problem
    notes = check_prepared(coco(lambda content: content["annotations"].pop(2)), "own").notes
    assert "val: no object of 1 of 3 categories (bird): they do not count in averages" in notes


def test_boxes_alone_are_told(coco):
    def bare(content):
        for entry in content["annotations"]:
            del entry["segmentation"]

    assert any("objects have boxes but no masks" in note for note in check_prepared(coco(bare), "own").notes)


def test_an_unknown_id_is_the_problem_of_the_report(coco):
    def unknown(content):
        content["annotations"][0]["image_id"] = 4

    report = check_prepared(coco(unknown), "own")
    assert (
        "annotations[0] (id 3): expected the id of one of the images, found image_id 4" in report.problems[0]
    )
    with pytest.raises(DataError):
        report.require()
