"""Time a model: warm-up, then repeats, every sample kept."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom
from torch import nn

from lsbench.core.job import JobContext
from lsbench.core.record import Record, measured
from lsbench.store.atomic import atomic_write


@torch.inference_mode()
def time_model(model: nn.Module, batch_size: int, img_size: int, context: JobContext) -> NDArray[np.float64]:
    """Return the seconds of each timed forward pass, shape ``(repeats,)``.

    The input is made off the clock; on CUDA the device is synchronised around every pass.
    """
    memory_format = torch.channels_last if context.spec.channels_last else torch.contiguous_format
    images = torch.randn(batch_size, 3, img_size, img_size).to(context.device, memory_format=memory_format)
    timed_model = model.to(memory_format=memory_format)
    synchronize = torch.cuda.synchronize if context.device == "cuda" else _nothing
    warmup, repeats = _repeats(context)
    for _ in range(warmup):
        timed_model(images)
    samples = np.empty(repeats)
    for index in range(len(samples)):
        synchronize()
        started = time.perf_counter()
        timed_model(images)
        synchronize()
        samples[index] = time.perf_counter() - started
    return samples


def _repeats(context: JobContext) -> tuple[int, int]:
    """Return untimed and timed repeats; a limit bounds both.

    At least six are timed: with fewer the median has no 95 % interval.
    """
    warmup, repeats = context.spec.warmup, context.spec.repeats
    limit = context.job.limit
    return (warmup, repeats) if limit is None else (min(warmup, limit), max(6, min(repeats, limit)))


def _nothing() -> None:
    """Stand in for a synchronisation where there is nothing to wait for."""


def median_interval(samples: NDArray[np.float64], *, level: float = 0.95) -> tuple[float, float]:
    """Return the order-statistics interval of the median, which assumes no distribution.

    Source:
        Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2.
    """
    ordered = np.sort(samples)
    rank = int(binom.ppf((1 - level) / 2, len(ordered), 0.5))
    low = max(rank - 1, 0)
    return float(ordered[low]), float(ordered[len(ordered) - 1 - low])


def to_record(
    metric: str, samples: NDArray[np.float64], batch_size: int, img_size: int, context: JobContext
) -> Record:
    """Return the median with its interval and spread, and write the raw samples to the job's folder."""
    with atomic_write(context.folder / f"samples_{metric}.npy") as file:
        np.save(file, samples)
    low, high = median_interval(samples)
    layout = "nhwc" if context.spec.channels_last else "nchw"
    protocol = f"b={batch_size}|fp32|{layout}|unfused|res={img_size}|{_device(context)}|n={len(samples)}|v1"
    spread: dict[str, Any] = {
        "p25": float(np.percentile(samples, 25)),
        "p75": float(np.percentile(samples, 75)),
        "batch_size": batch_size,
    }
    return measured(
        metric,
        float(np.median(samples)),
        protocol=protocol,
        n=len(samples),
        ci_low=low,
        ci_high=high,
        ci_method="median, order statistics 95%",
        setting=spread,
    )


def _device(context: JobContext) -> str:
    return "cuda" if context.device == "cuda" else f"cpu|threads={context.spec.threads}"
