import pytest
import torch

from lsbench.models.downstream.anchors import ExactAnchors


def test_sides_are_not_rounded():
    octaves = [4 * 2 ** (step / 3) for step in range(3)]
    (cells,) = ExactAnchors((8,), octaves).per_level([torch.zeros(1, 1, 1, 1)])
    width, height = (cells[:, 2] - cells[:, 0]), (cells[:, 3] - cells[:, 1])
    # The ratio is the outer order, the size the inner one.
    assert (height / width).tolist() == pytest.approx([0.5] * 3 + [1] * 3 + [2] * 3, rel=1e-6)
    assert (width * height).sqrt().tolist() == pytest.approx([8 * side for side in octaves] * 3, rel=1e-6)
    assert cells[0].tolist() == pytest.approx([-22.627417, -11.313708, 22.627417, 11.313708])


def test_strides_are_exact_where_a_map_is_cut_off():
    """An image of 800 x 1067 pixels, padded to 800 x 1088: torchvision would take 61 and 114."""
    anchors = ExactAnchors((64, 128), (8,))
    maps = [torch.zeros(1, 1, 13, 17), torch.zeros(1, 1, 7, 9)]
    for stride, one, found in zip((64, 128), maps, anchors.per_level(maps), strict=True):
        centres = ((found[:, :2] + found[:, 2:]) / 2).view(*one.shape[2:], 3, 2)
        assert centres[0, :, 0, 0].tolist() == pytest.approx([stride * x for x in range(one.shape[3])])
        assert centres[:, 0, 2, 1].tolist() == pytest.approx([stride * y for y in range(one.shape[2])])


def test_anchors_of_a_larger_image_beside_it_are_not_of_an_image():
    anchors = ExactAnchors((8, 64), (4,))
    maps = [torch.zeros(1, 1, 16, 20), torch.zeros(1, 1, 2, 3)]
    inside = anchors.of_image(maps, (33, 96))  # padded to 64 x 96 of its own, in a batch of 128 x 160
    fine, coarse = inside[: 3 * 16 * 20].view(16, 20, 3), inside[3 * 16 * 20 :].view(2, 3, 3)
    assert fine[:8, :12].all()
    assert fine.sum() == 3 * 8 * 12
    assert coarse[:1, :2].all()
    assert coarse.sum() == 3 * 2
    assert anchors.of_image(maps, (128, 160)).all()


def test_anchors_of_double_precision_stay_so():
    assert ExactAnchors((8,), (4,)).per_level([torch.zeros(1, 1, 2, 2).double()])[0].dtype == torch.float64
