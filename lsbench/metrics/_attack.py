"""Attacks that move every pixel a little in the direction that raises the loss (FGSM, PGD).

Settings follow the evaluation script of Robust Vision Transformer: no pixel changes by more than 1/255 of its
range. FGSM is one step of that size from the image itself; PGD is five steps of 0.5/255 from a random point
within the bound. After each step the image is clipped to the bound and then to the range of pixels. The
script's images are normalised, so bound, step and range are divided by each channel's standard deviation.

Differences: the random start is drawn per image and depends on its pixels alone, so results depend neither on
order, batch nor number of processes; the loss is the sum over the batch, whose gradient has the same sign as
that of the mean; everything is in float32. torchattacks and foolbox have both attacks, too, but need images
in [0, 1] and a model that normalises them, and draw the start from the global generator.

Source:
    Mao et al., Towards Robust Vision Transformer, CVPR 2022, arXiv:2105.07926, and ``RVT/engine.py`` of
    github.com/alibaba/easyrobust. FGSM: Goodfellow et al., 2015, arXiv:1412.6572. PGD: Madry et al., 2018,
    arXiv:1706.06083.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

EPSILON = 1 / 255
"""Largest change of a pixel; pixels are in [0, 1]."""


def attack(
    model: Callable[[Tensor], Tensor],
    images: Tensor,
    targets: Tensor,
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    steps: int,
    step_size: float,
    is_start_random: bool,
) -> Tensor:
    """Return images within 1/255 of `images` on which the loss is higher.

    Args:
        model: Maps images to logits.
        images: Normalised images, shape ``(N, C, H, W)``.
        targets: True classes, shape ``(N,)``.
        mean: Per-channel mean of the normalisation, of pixels in [0, 1].
        std: Per-channel standard deviation of the normalisation.
        steps: Number of steps.
        step_size: Size of a step, for pixels in [0, 1].
        is_start_random: Whether to start at a random point within the bound.
    """
    import torch
    from torch.nn import functional as F

    scale = images.new_tensor(std).view(1, -1, 1, 1)
    middle = images.new_tensor(mean).view(1, -1, 1, 1)
    darkest, brightest = (0 - middle) / scale, (1 - middle) / scale
    bound, step = EPSILON / scale, step_size / scale
    moved = images
    if is_start_random:
        start = torch.stack([_random_start(image) for image in images]).to(images)
        moved = (images + start * bound).clamp(darkest, brightest)
    for _ in range(steps):
        moved = moved.detach().requires_grad_()
        loss = F.cross_entropy(model(moved), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, moved)
        moved = (moved.detach() + step * gradient.sign()).clamp(images - bound, images + bound)
        moved = moved.clamp(darkest, brightest)
    return moved.detach()


def is_still_right(logits: Tensor, targets: Tensor) -> Tensor:
    """Return for each attacked image whether its most likely class is the true one, shape ``(N,)``."""
    return logits.argmax(dim=1) == targets


def _random_start(image: Tensor) -> Tensor:
    """Return uniform values in [-1, 1) for each pixel of `image`; a function of its pixels alone."""
    import torch

    pixels = image.detach().cpu().contiguous().numpy()
    generator = torch.Generator().manual_seed(zlib.crc32(pixels.tobytes()))
    return torch.rand(image.shape, generator=generator) * 2 - 1
