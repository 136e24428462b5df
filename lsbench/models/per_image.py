"""Parts of token mixers whose kernel varies from image to image but not from pixel to pixel.

Shapes: B batch, C channels, H, W plane, T = K * K taps of a kernel.
"""

# ruff: noqa: N803 - shape suffixes name the axes
from __future__ import annotations

import math
from collections import OrderedDict

from torch import Tensor, nn


class Squeeze(nn.Sequential):
    """A summary of an image as a short vector: mean over the plane, linear layer, ReLU.

    Args:
        dim: Channels C of the input.
        hidden: Length of the vector.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        layers = {
            "pool": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(dim, hidden),
            "act": nn.ReLU(),
        }
        super().__init__(OrderedDict(layers))


class KernelShares(nn.Module):
    """The weight of each of several kernels for an image: ``softmax(linear(z) / temperature)``.

    Args:
        hidden: Length of the vector z.
        num_experts: Number of kernels.
        temperature: A high value keeps the weights nearly equal, so that every kernel learns.

    Raises:
        ValueError: If the temperature is not positive.
    """

    def __init__(self, hidden: int, num_experts: int, temperature: float) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        self.temperature = temperature
        self.fc = nn.Linear(hidden, num_experts)

    def forward(self, z: Tensor) -> Tensor:
        """Return shape (B, num_experts); rows sum to 1."""
        logits: Tensor = self.fc(z)
        return (logits / self.temperature).softmax(dim=1)


def convolve_per_image(x_BCHW: Tensor, kernel_BCT: Tensor) -> Tensor:
    """Return the depth-wise convolution of each image with kernels of its own, same shape, zeros outside.

    Args:
        x_BCHW: Features.
        kernel_BCT: One kernel per image and channel, taps row by row, K odd.
    """
    batch, channels, height, width = x_BCHW.shape
    kernel = math.isqrt(kernel_BCT.shape[-1])
    # One convolution whose groups are the channels of all images.
    y = nn.functional.conv2d(
        x_BCHW.reshape(1, batch * channels, height, width),
        kernel_BCT.reshape(batch * channels, 1, kernel, kernel),
        padding=kernel // 2,
        groups=batch * channels,
    )
    return y.view(x_BCHW.shape)
