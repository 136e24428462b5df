"""Find the batch of ``batch_size: max``: the largest power of two that fits and still gains throughput."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lsbench.timing.passes import create_images, create_pass
from lsbench.timing.request import BatchEnd, Request, Setting

GAIN = 0.03
"""Least share by which a batch twice as large must raise the throughput."""
SHARE = 0.25
"""Fraction of the time of a measurement for the search."""
FEWEST_PASSES, SHORTEST_S = 3, 0.01
"""Passes and seconds that tell the throughput of a batch."""


@dataclass(frozen=True)
class Fit:
    """The chosen batch size, and why no larger one was taken."""

    batch_size: int
    ended_by: BatchEnd


def find_batch(
    model: nn.Module,
    request: Request,
    *,
    most: int,
    free_bytes: Callable[[], int],
    create: Callable[[nn.Module, Tensor, Setting], Callable[[], float]] = create_pass,
) -> Fit:
    """Return the largest power of two of images that fits in one pass and is worth it, at most `most`.

    Batches double until the throughput grows by less than 3 %, or the share of the request's time for the
    search is spent. On CUDA, they may also grow until memory runs out. On a CPU that would end the process:
    there the memory of each batch shows whether twice that would still fit into half of the free memory.

    Args:
        model: The model in its form, on its device.
        request: Device, setting and budget.
        most: Largest batch to try, a power of two.
        free_bytes: Returns the free memory of the host.
        create: Creates the function that runs one pass and returns its seconds.

    Raises:
        torch.OutOfMemoryError: If not even one image fits.
    """
    chosen, rate, left = 0, 0.0, request.budget.max_s * SHARE
    while True:
        size, free = max(1, 2 * chosen), free_bytes()
        try:
            images = create_images(size, request.img_size, request.setting, request.device)
            run = create(model, images, request.setting)
            taken = _seconds(run, left)
            if size / min(taken) < rate * (1 + GAIN):
                # Once more, as others may have disturbed it.
                taken += _seconds(run, left - sum(taken))
        except torch.OutOfMemoryError:
            if not chosen:
                raise
            return Fit(chosen, "memory")
        if size / min(taken) < rate * (1 + GAIN):
            return Fit(chosen, "throughput")
        chosen, rate, left = size, size / min(taken), left - sum(taken)
        if request.device == "cpu" and 2 * _pass_bytes(model, images) > free // 2:
            return Fit(chosen, "memory")
        if chosen == most:
            return Fit(chosen, "most")
        if 2 * sum(taken) > left:
            return Fit(chosen, "time")


def _seconds(run: Callable[[], float], left: float) -> list[float]:
    """Return the seconds of some passes; the first, which may compile code or choose kernels, does not count.

    Args:
        run: Runs one pass and returns its seconds.
        left: Seconds that the search has left.
    """
    run()
    taken = [run()]
    while (len(taken) < FEWEST_PASSES or sum(taken) < SHORTEST_S) and sum(taken) + taken[-1] <= left:
        taken.append(run())
    return taken


def _pass_bytes(model: nn.Module, images: Tensor) -> int:
    """Return the approximate memory of a pass: three times the largest module's inputs and outputs."""
    largest = 0

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal largest
        tensors = [t for t in (*inputs, output) if isinstance(t, Tensor)]
        largest = max(largest, sum(t.numel() * t.element_size() for t in tensors))

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    model(images[:1])
    for hook in hooks:
        hook.remove()
    return 3 * largest * len(images)
