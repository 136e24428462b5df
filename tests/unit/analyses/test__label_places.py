import numpy as np
import pytest

from lsbench.analyses._label_places import place_labels

SHAPE = (100, 200)


def test_a_text_stands_above_its_box_or_inside_where_there_is_no_room():
    boxes = np.array([[20, 50, 60, 90], [120, 2, 160, 40]])
    assert place_labels(boxes, [(30, 8), (30, 8)], SHAPE) == [(20, 42), (120, 0)]


def test_texts_of_equal_boxes_take_different_places():
    boxes = np.array([[50.0, 40.0, 120.0, 90.0]] * 4)
    places = place_labels(boxes, [(30, 8)] * 4, SHAPE)
    assert places[0] == (50, 32)
    areas = [(x, y, x + 30, y + 8) for x, y in places]
    for place, one in enumerate(areas):
        for other in areas[:place]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@pytest.mark.parametrize("box", [(-20, -20, 5, 5), (190, 90, 230, 130), (0, 0, 200, 100)])
def test_no_text_leaves_the_picture(box):
    [(x, y)] = place_labels(np.array([box]), [(40, 10)], SHAPE)
    assert 0 <= x <= 160
    assert 0 <= y <= 90


def test_a_text_that_is_larger_than_the_picture_begins_at_its_start():
    assert place_labels(np.array([[5, 5, 9, 9]]), [(300, 10)], SHAPE)[0][0] == 0
    assert place_labels(np.empty((0, 4)), [], SHAPE) == []
