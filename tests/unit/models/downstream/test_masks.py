import torch

from lsbench.models.downstream.masks import mask_targets, paste_masks


def test_a_mask_fills_its_box_where_pixels_have_their_centres_in_it():
    boxes = torch.tensor([[2.0, 3.0, 6.0, 5.0], [2.5, 3.5, 6.5, 5.5]])
    masks = paste_masks(torch.ones(2, 28, 28), boxes, (8, 9))
    expected = torch.zeros(8, 9, dtype=torch.bool)
    expected[3:5, 2:6] = True
    assert masks.dtype == torch.bool
    assert torch.equal(masks[0], expected)
    # A centre on a side is read as one half, which counts; one on a corner as a quarter.
    assert masks[1].sum(0).tolist() == [0, 0, 1, 3, 3, 3, 1, 0, 0]


def test_one_half_counts_and_less_does_not():
    box = torch.tensor([[0.0, 0, 4, 4]])
    assert paste_masks(torch.full((1, 28, 28), 0.5), box, (4, 4))[0, 1:3, 1:3].all()
    assert not paste_masks(torch.full((1, 28, 28), 0.499), box, (4, 4)).any()


def test_a_box_without_width_takes_the_middle_of_its_mask():
    grid = torch.zeros(1, 28, 28)
    grid[:, :, 13:15] = 1
    (mask,) = paste_masks(grid, torch.tensor([[4.2, 0, 4.2, 6]]), (6, 9))
    assert mask.any(0).nonzero().flatten().tolist() == [3, 4, 5]


def test_boxes_at_the_sides_of_the_image_stay_inside():
    masks = paste_masks(torch.ones(2, 28, 28), torch.tensor([[0.0, 0, 9.0001, 8], [8, 7, 9, 8]]), (8, 9))
    assert masks[0].all()
    assert masks[1].nonzero().tolist() == [[7, 8]]
    assert paste_masks(torch.zeros(0, 28, 28), torch.zeros(0, 4), (8, 9)).shape == (0, 8, 9)


def test_training_sees_the_part_of_a_mask_inside_a_box():
    masks = torch.zeros(2, 40, 40, dtype=torch.bool)
    masks[1, 10:30, 20:40] = True
    boxes = torch.tensor([[20.0, 10, 40, 30], [10, 10, 30, 30]])
    found = mask_targets(masks, torch.tensor([1, 1]), boxes, (64, 64), 4)
    assert found[0].tolist() == [[1.0] * 4] * 4
    assert found[1].tolist() == [[0.0, 0, 1, 1]] * 4


def test_there_is_nothing_in_the_padding():
    """The samples nearest to the mask's end would repeat its last pixels, did it end there."""
    masks = torch.ones(1, 10, 10, dtype=torch.bool)
    box = torch.tensor([[0.0, 0, 20, 20]])
    found = mask_targets(masks, torch.tensor([0]), box, (32, 32), 4)
    assert found[0].tolist() == [[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
