"""Speed of SKA on a CPU: the `cpu` backend, unfold, shifted views, compiled views, and the memory floor.

Measured at LSNet's shapes for 224 pixels, forward and with both gradients. Times are medians of wall time
over rounds in which all forms take turns; a factor is the time of a form divided by that of the `cpu` backend
in the same rounds. The floor touches features, weights and result once. torch.compile needs a C++ compiler;
use --no-compile without one. Memory uses glibc's default allocation. Run on an idle machine:

    python benchmarks/ska.py [--threads 1 2] [--batches 1 32 128] [--dtypes float32 bfloat16]
                             [--layouts nchw nhwc] [--rounds 7] [--no-compile]
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.nn import functional as F

from lsbench.models.ops.simd import lanes, load, multiply_add, splat, store
from lsbench.models.ops.ska import ska

#: Channels and side of the feature maps, per model and stage.
SHAPES = {
    "T s2": (128, 14),
    "T s3": (256, 7),
    "S s2": (192, 14),
    "S s3": (320, 7),
    "B s1": (128, 28),
    "B s2": (256, 14),
    "B s3": (384, 7),
}
SHARED, KERNEL = 8, 3
FORMS = ("unfold", "shifted", "compiled", "floor")
Form = Callable[[Tensor, Tensor], Any]


def unfolded(x: Tensor, weight: Tensor) -> Tensor:
    """Return SKA as the sum of patches times weights."""
    batch, channels, height, width = x.shape
    groups, taps = weight.shape[1:3]
    patches = F.unfold(x, KERNEL, padding=KERNEL // 2)
    by_group = patches.view(batch, channels // groups, groups, taps, height, width)
    return (by_group * weight.unsqueeze(1)).sum(3).view(x.shape)


def shifted(x: Tensor, weight: Tensor) -> Tensor:
    """Return SKA as a sum of shifted views, in the dtype of the features."""
    batch, channels, height, width = x.shape
    groups, taps = weight.shape[1:3]
    padded = F.pad(x, [KERNEL // 2] * 4).view(batch, channels // groups, groups, height + 2, width + 2)
    y = padded[..., :height, :width] * weight[:, None, :, 0]
    for tap in range(1, taps):
        dy, dx = divmod(tap, KERNEL)
        y = y + padded[..., dy : dy + height, dx : dx + width] * weight[:, None, :, tap]
    return y.reshape(x.shape)


@njit(nogil=True)
def touch(x, weight, y, rest):  # type: ignore[no-untyped-def] # typed by numba
    """Read `x` and `weight` and write `y`, each once; `rest` takes the sum of the remaining weights."""
    total = splat(x, 0)
    for i in range(np.uint64(0), np.uint64(len(x)), lanes(x)):
        store(y, i, multiply_add(load(x, i), load(weight, i), total))
    for i in range(np.uint64(len(x)), np.uint64(len(weight)), lanes(x)):
        total = multiply_add(load(weight, i), load(weight, i), total)
    store(rest, np.uint64(0), total)


def memory_floor(pool: ThreadPoolExecutor, threads: int) -> Form:
    """Return a function that touches its tensors once, on up to `threads` threads if the batch allows."""

    def run(x: Tensor, weight: Tensor) -> None:
        parts = min(threads, len(x))
        jobs = []
        for a, b in zip(x.tensor_split(parts), weight.tensor_split(parts), strict=True):
            flat = [t.as_strided((t.numel(),), (1,), t.storage_offset()) for t in (a, b, torch.empty_like(a))]
            bits = [t.view(torch.uint16) if t.dtype == torch.bfloat16 else t for t in flat]
            jobs.append([*(t.numpy() for t in bits), np.empty(16, bits[0].numpy().dtype)])
        others = [pool.submit(touch, *job) for job in jobs[1:]]
        touch(*jobs[0])
        for other in others:
            other.result()

    return run


def trained(form: Form, grad: Tensor) -> Form:
    """Return a form with both gradients."""

    def run(x: Tensor, weight: Tensor) -> Any:
        x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
        return torch.autograd.grad(form(x, weight), (x, weight), grad)

    return run


def medians(forms: dict[str, Form], tensors: Sequence[Tensor], rounds: int) -> dict[str, float]:
    """Return the median seconds of each form; forms take turns, short ones several times per turn."""
    repeats, times = {}, defaultdict(list)
    for name, form in forms.items():
        form(*tensors)
        started = time.perf_counter()
        form(*tensors)
        repeats[name] = max(1, min(50, int(0.01 / (time.perf_counter() - started))))
    for _ in range(rounds):
        for name, form in forms.items():
            started = time.perf_counter()
            for _ in range(repeats[name]):
                form(*tensors)
            times[name].append((time.perf_counter() - started) / repeats[name])
    return {name: statistics.median(found) for name, found in times.items()}


def measure(shape: tuple[int, int], batch: int, args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return the medians of all forms: ``{"forward": {...}, "with gradients": {...}}``."""
    channels, side = shape
    x = torch.randn(batch, channels, side, side).to(args.dtype)
    weight = torch.randn(batch, channels // SHARED * KERNEL**2, side, side).to(args.dtype)
    if args.layout == "nhwc":
        x, weight = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, weight))
    weight = weight.view(batch, channels // SHARED, KERNEL**2, side, side)
    forms: dict[str, Form] = {"cpu": ska, "unfold": unfolded, "shifted": shifted}
    if args.compile:
        torch.compiler.reset()
        forms["compiled"] = torch.compile(shifted, dynamic=False)
    grad = torch.randn_like(x)
    gradients = {name: trained(form, grad) for name, form in forms.items()}
    with ThreadPoolExecutor(1) as pool:
        with torch.no_grad():
            forward = medians(
                {**forms, "floor": memory_floor(pool, args.threads_now)}, (x, weight), args.rounds
            )
        return {"forward": forward, "with gradients": medians(gradients, (x, weight), args.rounds)}


def table(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print the time of the `cpu` backend and the factors of the other forms, with geometric means."""
    names = [name for name in FORMS if any(name in times for times in rows.values())]
    print(f"\n{title}\n{'shape':<12}{'cpu, us':>10}" + "".join(f"{name:>10}" for name in names))
    factors = {row: [times[name] / times["cpu"] for name in names] for row, times in rows.items()}
    for row, times in rows.items():
        print(f"{row:<12}{1e6 * times['cpu']:10.0f}" + "".join(f"{f:9.2f}x" for f in factors[row]))
    means = [math.prod(column) ** (1 / len(rows)) for column in zip(*factors.values(), strict=True)]
    print(f"{'geo. mean':<22}" + "".join(f"{mean:9.2f}x" for mean in means))


def main() -> None:
    """Measure and print one table per setting."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 128])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--layouts", nargs="+", default=["nchw", "nhwc"], choices=["nchw", "nhwc"])
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    args = parser.parse_args()
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    for threads in args.threads:
        args.threads_now = threads
        torch.set_num_threads(threads)
        for dtype in args.dtypes:
            args.dtype = getattr(torch, dtype)
            for layout in args.layouts:
                args.layout = layout
                found: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
                for name in args.shapes:
                    for batch in args.batches:
                        for part, times in measure(SHAPES[name], batch, args).items():
                            found[part][f"{name}, {batch}"] = times
                for part, rows in found.items():
                    table(f"{part}, {dtype}, {layout}, {threads} thread(s)", rows)


if __name__ == "__main__":
    main()
