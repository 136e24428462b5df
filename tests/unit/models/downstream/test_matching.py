import torch

from lsbench.models.downstream.matching import BACKGROUND, NEITHER, BestBoxMatcher, match_anchors


def boxes(*spans):
    """Boxes of height 10 between two x."""
    return torch.tensor([[float(left), 0, float(right), 10] for left, right in spans])


def test_good_boxes_match_bad_ones_are_background_and_others_neither():
    objects = boxes((0, 100))
    found = BestBoxMatcher(0.7, 0.3, 0.3).match(objects, boxes((0, 100), (0, 80), (0, 50), (0, 20)))
    assert found.tolist() == [0, 0, NEITHER, BACKGROUND]


def test_an_object_takes_its_best_box_only_if_it_overlaps_enough():
    for width, expected in ((40, 0), (29, BACKGROUND)):
        found = BestBoxMatcher(0.7, 0.3, 0.3).match(boxes((0, 100)), boxes((0, width)))
        assert found.tolist() == [expected]
    assert BestBoxMatcher(0.7, 0.3, 0.0).match(boxes((0, 100)), boxes((0, 29))).tolist() == [0]


def test_an_object_takes_its_best_box_from_another_one():
    """The box fits the first object perfectly, and is the best that the second one has."""
    objects = boxes((0, 100), (0, 60))
    assert BestBoxMatcher(0.7, 0.3, 0.3).match(objects, boxes((0, 100))).tolist() == [1]
    # torchvision leaves it with the object that it overlaps most.
    assert BestBoxMatcher(0.7, 0.3, 0.7).match(objects, boxes((0, 100))).tolist() == [0]


def test_all_boxes_that_overlap_most_are_taken():
    found = BestBoxMatcher(0.7, 0.3, 0.3).match(boxes((0, 100)), boxes((0, 40), (60, 100), (0, 39)))
    assert found.tolist() == [0, 0, NEITHER]


def test_without_objects_or_boxes_all_is_background():
    matcher = BestBoxMatcher(0.5, 0.5, 0.5)
    assert matcher.match(boxes()[:0].reshape(0, 4), boxes((0, 1))).tolist() == [BACKGROUND]
    assert matcher.match(boxes((0, 1)), torch.zeros(0, 4)).tolist() == []


def test_unusable_anchors_neither_match_nor_are_background():
    anchors = boxes((0, 100), (0, 60), (200, 300))
    usable = [torch.tensor([False, True, True]), torch.tensor([True, True, True])]
    targets = [{"boxes": boxes((0, 100))}, {"boxes": torch.zeros(0, 4)}]
    first, second = match_anchors(BestBoxMatcher(0.7, 0.3, 0.3), anchors, usable, targets)
    # Of the usable ones the second overlaps most.
    assert first.tolist() == [NEITHER, 0, BACKGROUND]
    assert second.tolist() == [BACKGROUND] * 3
