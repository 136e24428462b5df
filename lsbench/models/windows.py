"""Cut a map into equal windows for attention inside each, and join them again.

Shapes: B batch, C channels, H, W the map, N windows per image, h, w one window.

Source:
    Swin Transformer, ICCV 2021, arXiv:2103.14030, section 3.2: windows, their cyclic shift and its mask.
    There the window size is fixed and must fit the map; here it is a maximum.
"""

# ruff: noqa: N803 - shape suffixes name the axes
from __future__ import annotations

from math import isqrt
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lsbench.models.open_sizes import is_open, roll_back


class WindowGrid(NamedTuple):
    """The partition of a map: the fewest windows of at most a given size, all of equal size.

    14 pixels of at most 7 are 2 windows of 7; 8 are 2 of 4, 5 are 1 of 5, and 9 are 2 of 5, which need one
    pixel of padding.

    Attributes:
        windows: Number along (H, W).
        size: (h, w) of each.
    """

    windows: tuple[int, int]
    size: tuple[int, int]

    @property
    def shift(self) -> tuple[int, int]:
        """Half a window along each axis; 0 along an axis that one window spans."""
        # 0 for one window, 1 for more, without a comparison: the number may be open.
        rows, columns = (
            size // 2 * (2 * (windows - 1) // windows) for windows, size in zip(*self, strict=True)
        )
        return rows, columns

    @property
    def is_open(self) -> bool:
        """Whether the sizes are variables of a program that is being traced."""
        return is_open(*self.windows)

    @property
    def is_one(self) -> bool:
        """Whether one window spans the map, as far as is known.

        Its map goes on as it is. Otherwise the gradient of a single image would have a batch stride for which
        torch's batch normalisation gives wrong gradients on the CPU.
        """
        return not self.is_open and self.windows == (1, 1)

    def pad(self, x_BCHW: Tensor) -> Tensor:
        """Return the map with zeros below and to the right, so that the windows cover it exactly."""
        height, width = self._covered
        missing = (0, width - x_BCHW.shape[3], 0, height - x_BCHW.shape[2])
        return nn.functional.pad(x_BCHW, missing) if self.is_open or any(missing) else x_BCHW

    def cut(self, x_BCHW: Tensor) -> Tensor:
        """Return the windows of a padded map, shape (B * N, C, h, w), image by image and row by row."""
        if self.is_one:
            return x_BCHW
        (rows, columns), (height, width) = self
        x = x_BCHW.reshape(*x_BCHW.shape[:2], rows, height, columns, width)
        return x.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)

    def join(self, windows_NChw: Tensor) -> Tensor:
        """Join windows from `cut` to the padded map, shape (B, C, H, W)."""
        if self.is_one:
            return windows_NChw
        rows, columns = self.windows
        x = windows_NChw.reshape(-1, rows, columns, *windows_NChw.shape[1:])
        return x.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)

    def unpad(self, x_BCHW: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the upper left part of a padded map, of `size`."""
        height, width = size
        if self.is_open:
            y, x = (torch.arange(side, device=x_BCHW.device) for side in size)
            return x_BCHW.index_select(2, y).index_select(3, x)
        return x_BCHW[:, :, :height, :width]

    def roll_back(self, x_BCHW: Tensor) -> Tensor:
        """Return a padded map, rolled back by `shift`: the first rows and columns come last."""
        if self.is_open:
            return roll_back(x_BCHW, self.shift)
        rows, columns = self.shift
        return torch.roll(x_BCHW, (-rows, -columns), (2, 3))

    def roll_on(self, x_BCHW: Tensor) -> Tensor:
        """Undo `roll_back`."""
        if self.is_open:
            rows, columns = (side - by for side, by in zip(self._covered, self.shift, strict=True))
            return roll_back(x_BCHW, (rows, columns))
        return torch.roll(x_BCHW, self.shift, (2, 3))

    def border_mask(self, device: torch.device) -> Tensor:
        """Return the mask to add to the scores of each window after the map was rolled back by `shift`.

        Rolling brings the first rows and columns next to the last: pixels that became neighbours this way do
        not attend to each other.

        Returns:
            0 where two pixels of a window are neighbours in the map, else -inf, shape (N, h * w, h * w).
        """
        wrapped = [
            torch.arange(shift - covered, shift, device=device) >= 0
            for covered, shift in zip(self._covered, self.shift, strict=True)
        ]
        label = wrapped[0][:, None] * 2 + wrapped[1][None, :]
        label = self.cut(label[None, None]).flatten(1)
        apart = label[:, :, None] != label[:, None, :]
        return torch.zeros(apart.shape, device=device).masked_fill(apart, float("-inf"))

    @property
    def _covered(self) -> tuple[int, int]:
        return self.windows[0] * self.size[0], self.windows[1] * self.size[1]


def window_grid(x_BCHW: Tensor, largest: int) -> WindowGrid:
    """Return the partition of a map into windows of at most `largest` pixels a side.

    >>> window_grid(torch.zeros(1, 3, 14, 9), 7)
    WindowGrid(windows=(2, 2), size=(7, 5))
    """
    height, width = sides(x_BCHW)
    # Rounded up without negative numbers, which ONNX divides differently.
    rows, columns = (height + largest - 1) // largest, (width + largest - 1) // largest
    return WindowGrid((rows, columns), ((height + rows - 1) // rows, (width + columns - 1) // columns))


def sides(x_BCHW: Tensor) -> tuple[int, int]:
    """Return height and width of a map."""
    height, width = x_BCHW.shape[2:]
    if is_open(height, width):
        return height, width
    # Plain integers, so that a traced model does not count the arithmetic on sizes.
    return int(height), int(width)


def window_indices(index: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the part of a bias index that a smaller window uses.

    Args:
        index: Bias index of each pair in a square window, shape (side**2, side**2).
        size: (h, w) of the smaller window, each at most that side.

    Returns:
        Shape (h * w, h * w): pairs at the same offset keep their index.
    """
    height, width = size
    side = isqrt(int(index.shape[0]))
    grid = index.view(side, side, side, side)
    if is_open(height, width):
        # A slice would compare its end with the side.
        y, x = torch.arange(height, device=index.device), torch.arange(width, device=index.device)
        part = grid[y[:, None, None, None], x[:, None, None], y[:, None], x]
    else:
        part = grid[:height, :width, :height, :width]
    return part.reshape(height * width, height * width)
