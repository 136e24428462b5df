from dataclasses import replace

import numpy as np
from PIL import Image

from lsbench.data.preflight import check_prepared


def test_a_report_counts_what_there_is(ade):
    report = check_prepared(ade, "own")
    assert report.problems == ()
    assert (report.classes, report.known_classes, report.images, report.looked_at) == (3, 4, {"val": 3}, 3)
    assert report.notes == (
        "labels count from 1 in the files: 0 stands for pixels that do not count, 1 is class 0",
        "val: 3 of 4 classes in 3 checked label maps; 25.0% of the pixels do not count",
    )
    assert check_prepared(replace(ade, reduce_zero_label=False), "plain").classes == 4


def test_label_maps_that_do_not_fit_are_problems(ade):
    place = ade.label_maps["val"]
    Image.fromarray(np.full((40, 60), 5, np.uint8)).save(place / "c.png")
    (problem,) = check_prepared(ade, "own").problems
    assert f"in {place / 'c.png'}, found 5 at row 0, column 0; correct the label map" in problem
    Image.fromarray(np.ones((4, 6), np.uint8)).save(place / "c.png")
    (problem,) = check_prepared(ade, "own").problems
    assert f"expected {place / 'c.png'} with 40 x 60 pixels like" in problem
    (place / "c.png").unlink()
    (problem,) = check_prepared(ade, "own").problems
    assert "found none; add it or remove the image" in problem
