import pytest
import torch
from timm.models.swin_transformer import SwinTransformerBlock, get_relative_position_index

from lsbench.models.windows import WindowGrid, window_grid, window_indices


def ramp(height, width):
    return torch.arange(1.0, height * width + 1).view(1, 1, height, width)


@pytest.mark.parametrize(
    ("size", "windows", "side"),
    [
        ((7, 7), (1, 1), (7, 7)),
        ((14, 28), (2, 4), (7, 7)),
        ((8, 5), (2, 1), (4, 5)),
        ((1, 9), (1, 2), (1, 5)),
        ((15, 13), (3, 2), (5, 7)),
    ],
)
def test_the_fewest_windows_that_are_small_enough(size, windows, side):
    assert window_grid(torch.zeros(2, 3, *size), 7) == WindowGrid(windows, side)


@pytest.mark.parametrize("size", [(8, 5), (9, 13), (1, 1)], ids=str)
def test_joining_undoes_cutting(size):
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    grid = window_grid(x, 4)
    windows = grid.cut(grid.pad(x))
    assert windows.shape == (2 * grid.windows[0] * grid.windows[1], 3, *grid.size)
    assert torch.equal(grid.join(windows)[..., : size[0], : size[1]], x)


def test_a_map_of_one_window_goes_on_as_it_is():
    x = torch.randn(1, 3, 4, 2).to(memory_format=torch.channels_last)
    grid = window_grid(x, 4)
    assert grid.cut(x) is x
    assert grid.join(x) is x


def test_windows_come_image_by_image_and_row_by_row():
    x = torch.cat([ramp(4, 6), -ramp(4, 6)])
    windows = window_grid(x, 3).cut(x)
    for image in range(2):
        for row in range(2):
            for column in range(2):
                expected = x[image, :, 2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
                assert torch.equal(windows[4 * image + 2 * row + column], expected)


def test_padding_is_zeros_at_the_end():
    padded = window_grid(ramp(3, 5), 4).pad(ramp(3, 5))
    assert padded.shape == (1, 1, 3, 6)
    assert torch.equal(padded[..., :5], ramp(3, 5))
    assert not padded[..., 5].any()


def test_an_axis_of_one_window_is_not_shifted():
    assert WindowGrid((2, 1), (7, 7)).shift == (3, 0)


def test_rolling_on_undoes_rolling_back_and_the_first_pixels_come_last():
    x = ramp(8, 4)
    grid = window_grid(x, 4)
    rolled = grid.roll_back(x)
    assert rolled[0, 0, 6, 0] == x[0, 0, 0, 0]
    assert torch.equal(grid.roll_on(rolled), x)


def test_what_was_padded_is_cut_off():
    x = ramp(3, 5)
    grid = window_grid(x, 4)
    assert torch.equal(grid.unpad(grid.pad(x), (3, 5)), x)


@pytest.mark.parametrize(("size", "window"), [((14, 14), 7), ((8, 12), 4)], ids=str)
def test_mask_hides_what_timms_hides(size, window):
    block = SwinTransformerBlock(8, size, num_heads=1, window_size=window, shift_size=window // 2)
    found = window_grid(torch.zeros(1, 1, *size), window).border_mask(torch.device("cpu"))
    assert torch.equal(found.isinf(), block.attn_mask < 0)
    assert not found[~found.isinf()].any()


def test_a_smaller_window_uses_the_bias_of_the_same_offset():
    index = get_relative_position_index(5, 5)
    part = window_indices(index, (2, 3))
    pixels = [(row, column) for row in range(2) for column in range(3)]
    for a, (row, column) in enumerate(pixels):
        for b, (other_row, other_column) in enumerate(pixels):
            assert part[a, b] == (row - other_row + 4) * 9 + column - other_column + 4
