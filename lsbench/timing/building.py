"""A model in a runtime, before it is timed: written, loaded, and compared with PyTorch on real images."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lsbench.models.fusion import fuse, unfused_norms
from lsbench.runtimes import Prepared, prepare
from lsbench.timing.passes import create_plain
from lsbench.timing.request import Built, Request


def build(request: Request) -> Built:
    """Write the program of a request's model, run it on real images, and return how it compares.

    The program lies in the first of the request's folders afterwards.

    Args:
        request: With a file of images as ``numpy.save`` writes them, normalised, float32, shape (N, 3, H, W);
            and one of calibration images if the precision needs them.
    """
    model, images = create_plain(request.subject, request), _read(request.images)
    calibration = None if request.calibration is None else _read(request.calibration)
    with torch.no_grad():
        expected = torch.cat([model(part) for part in _parts(images, request.batch_size)])
        made = fuse(model) if request.setting.fused else model
        ready = prepare(
            request.setting.runtime,
            made,
            filled(images, request.batch_size),
            request.setting.form(request.device),
            Path(request.programs[0]),
            calibration=calibration,
        )
        found = run_all(ready, images, request.batch_size)
    return compared(found, expected).model_copy(
        update={"seconds": dict(ready.seconds), "unfused_norms": unfused_norms(made)}
    )


def run_all(ready: Prepared, images: Tensor, batch_size: int) -> Tensor:
    """Return the logits of images that pass in batches of one size, the last of them filled up."""
    parts = [ready(filled(part, batch_size)) for part in _parts(images, batch_size)]
    return torch.cat(parts)[: len(images)]


def _parts(images: Tensor, size: int) -> list[Tensor]:
    return [images[start : start + size] for start in range(0, len(images), size)]


def filled(images: Tensor, size: int) -> Tensor:
    """Return a batch of `size` images: the given ones, again and again.

    >>> filled(torch.tensor([1, 2]), 5)
    tensor([1, 2, 1, 2, 1])
    """
    return images[torch.arange(size) % len(images)]


def compared(found: Tensor, expected: Tensor) -> Built:
    """Return how logits compare with those expected, both of shape (N, K).

    >>> compared(torch.tensor([[1.0, 4.1]]), torch.tensor([[1.0, 4.0]])).agreement
    1.0
    """
    scale = float(expected.abs().max()) or 1.0
    difference = float((found - expected).abs().max()) / scale
    same = (found.argmax(dim=1) == expected.argmax(dim=1)).double().mean()
    is_number = math.isfinite(difference)
    return Built(
        seconds={}, difference=difference if is_number else None, agreement=float(same), images=len(found)
    )


def _read(file: str | None) -> Tensor:
    return torch.from_numpy(np.load(str(file)))
