import math

import pytest
import torch
from torchvision.ops import batched_nms

from lsbench.models.downstream import boxes as module
from lsbench.models.downstream.boxes import (
    ClippedBoxCoder,
    pool_regions,
    precise,
    region_levels,
    split_like,
    suppress,
)


def test_boxes_shrink_at_most_as_much_as_they_grow():
    coder = ClippedBoxCoder((10.0, 10.0, 5.0, 5.0))
    boxes = torch.tensor([[0.0, 0, 62.5, 125]])
    grown, shrunk = coder.decode_single(torch.tensor([[0.0, 0, 99, 99, 0, 0, -99, -99]]), boxes).view(2, 4)
    assert (grown[2:] - grown[:2]).tolist() == pytest.approx([62.5**2, 125 * 62.5], rel=1e-5)
    assert (shrunk[2:] - shrunk[:2]).tolist() == pytest.approx([1, 2], rel=1e-5)
    assert coder.bbox_xform_clip == pytest.approx(math.log(62.5))


def test_what_is_encoded_is_decoded():
    coder = ClippedBoxCoder((10.0, 10.0, 5.0, 5.0))
    boxes, targets = torch.tensor([[1.0, 2, 30, 40]]), torch.tensor([[5.0, 1, 20, 60]])
    torch.testing.assert_close(coder.decode_single(coder.encode_single(targets, boxes), boxes), targets)


def some_boxes(count=200):
    torch.manual_seed(3)
    corners = torch.rand(count, 2) * 80
    return torch.cat([corners, corners + torch.rand(count, 2) * 40], 1), torch.rand(count)


def test_only_boxes_of_one_group_compete(monkeypatch):
    boxes, scores = some_boxes()
    groups = torch.arange(len(boxes)) % 3
    expected = batched_nms(boxes, scores, groups, 0.5)
    assert 3 < len(expected) < len(boxes)
    assert torch.equal(suppress(boxes, scores, groups, 0.5), expected)
    monkeypatch.setattr(module, "MANY", 10)
    assert torch.equal(suppress(boxes, scores, groups, 0.5), expected)


def test_empty_boxes_stay_and_no_boxes_are_no_boxes():
    empty = torch.tensor([[5.0, 5, 5, 9], [5, 5, 5, 9]])
    kept = suppress(empty, torch.tensor([0.1, 0.2]), torch.zeros(2, dtype=torch.int64), 0.5)
    assert kept.tolist() == [1, 0]
    none = suppress(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0.5)
    assert none.tolist() == []


def test_features_are_read_where_they_lie():
    """On a map that says where each pixel's centre is, a region's cells have their own centres."""
    x = (torch.arange(32.0) + 0.5).expand(1, 1, 32, 32) * 8
    pooled = pool_regions([x], [8], [torch.tensor([[40.0, 48, 96, 104]])], 7)
    assert pooled[0, 0, 3].tolist() == pytest.approx([44, 52, 60, 68, 76, 84, 92])


def test_each_region_is_read_from_the_map_of_its_size_and_image():
    maps = [torch.full((2, 1, 64 // 2**level, 64 // 2**level), float(level)) for level in range(4)]
    for one in maps:
        one[1] += 10
    first = torch.tensor([[0.0, 0, 20, 20], [0, 0, 120, 120]])
    pooled = pool_regions(maps, (4, 8, 16, 32), [first, torch.tensor([[0.0, 0, 250, 250]])], 2)
    assert pooled.mean((1, 2, 3)).tolist() == [0, 1, 12]
    assert pool_regions(maps, (4, 8, 16, 32), [torch.zeros(0, 4)] * 2, 2).shape == (0, 1, 2, 2)


def test_a_box_without_area_belongs_to_the_finest_map():
    assert region_levels(torch.tensor([[5.0, 5, 5, 9], [0, 0, 5000, 5000]]), 4).tolist() == [0, 3]


def test_values_are_split_like_boxes():
    parts = split_like(torch.arange(5), [torch.zeros(2, 4), torch.zeros(0, 4), torch.zeros(3, 4)])
    assert [part.tolist() for part in parts] == [[0, 1], [], [2, 3, 4]]


def test_half_precision_becomes_single_and_double_stays():
    kinds = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    found = [precise(torch.zeros(1, dtype=kind)).dtype for kind in kinds]
    assert found == [torch.float32] * 3 + [torch.float64]
