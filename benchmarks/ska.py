"""Speed of SKA on a CPU: the `cpu` backend, unfold, shifted views, compiled views, and the memory floor.

Measured at LSNet's shapes for 224 pixels: forward, the backward pass alone, and both by autograd. Times are
medians of wall time over rounds in which all forms take turns. A factor is the time of a form divided by that
of the `cpu` backend in the same round; the last column is SKA's time divided by that of the floor, with
quartiles. The floor touches once what a pass must touch: features, weights and result; backward the gradients
of all three as well. `--before` names a checkout of another version, whose SKA is called in a process of its
own in the same rounds. torch.compile needs a C++ compiler; use --no-compile without one. Memory uses glibc's
default allocation. Run on an idle machine:

    python benchmarks/ska.py [--threads 1 2] [--batches 1 32 128] [--dtypes float32 bfloat16]
                             [--layouts nchw nhwc] [--rounds 7] [--no-compile] [--only-floor]
                             [--before CHECKOUT]

Small maps are the rows of a single image of 7 x 7 pixels: T s3, S s3 and B s3 with --batches 1.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
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

from lsbench.models.ops import ska_cpu
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
FORMS = ("before", "unfold", "shifted", "compiled")
TITLES = {"forward": "forward", "backward": "backward pass alone", "gradients": "with gradients"}
Form = Callable[[Tensor, Tensor], Any]
Times = dict[str, list[float]]


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


@njit(nogil=True)
def touch_back(grad, x, weight, grad_x, grad_weight):  # type: ignore[no-untyped-def] # typed by numba
    """Read `grad`, `x` and `weight` and write both gradients, each once."""
    zero = splat(x, 0)
    for i in range(np.uint64(0), np.uint64(len(x)), lanes(x)):
        w = load(weight, i)
        store(grad_x, i, multiply_add(load(grad, i), w, zero))
        store(grad_weight, i, multiply_add(load(x, i), w, zero))
    for i in range(np.uint64(len(x)), np.uint64(len(weight)), lanes(x)):
        store(grad_weight, i, load(weight, i))


def flat(tensor: Tensor) -> Any:
    """Return a tensor's numbers in memory order; bfloat16 as its bits."""
    numbers = tensor.as_strided((tensor.numel(),), (1,), tensor.storage_offset())
    return (numbers.view(torch.uint16) if tensor.dtype == torch.bfloat16 else numbers).numpy()


def memory_floor(pool: ThreadPoolExecutor, threads: int, x: Tensor, weight: Tensor) -> Form:
    """Return a function that touches tensors once, on up to `threads` threads if the batch allows.

    Only the result is made anew in each call, as SKA must.
    """
    pieces = split(threads, x, weight)
    inputs = [[flat(tensor) for tensor in piece] for piece in pieces]
    rest = [np.empty(16, arrays[0].dtype) for arrays in inputs]

    def run(*_: Tensor) -> None:
        results = [flat(torch.empty_like(piece[0])) for piece in pieces]
        in_turn(pool, touch, [[*i, y, r] for i, y, r in zip(inputs, results, rest, strict=True)])

    return run


def backward_floor(pool: ThreadPoolExecutor, threads: int, *tensors: Tensor) -> Form:
    """Return a function that touches what the backward pass must, as :func:`memory_floor` does.

    `tensors` are the gradient of the result, features and weights.
    """
    pieces = split(threads, *tensors)
    inputs = [[flat(tensor) for tensor in piece] for piece in pieces]

    def run(*_: Tensor) -> None:
        results = [[flat(torch.empty_like(tensor)) for tensor in piece[1:]] for piece in pieces]
        in_turn(pool, touch_back, [[*i, *y] for i, y in zip(inputs, results, strict=True)])

    return run


def split(threads: int, *tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """Return the images that each thread touches."""
    parts = min(threads, len(tensors[0]))
    return list(zip(*(tensor.tensor_split(parts) for tensor in tensors), strict=True))


def in_turn(pool: ThreadPoolExecutor, loop: Callable[..., None], jobs: Sequence[Sequence[Any]]) -> None:
    """Run the first job here and the others in the pool."""
    others = [pool.submit(loop, *job) for job in jobs[1:]]
    loop(*jobs[0])
    for other in others:
        other.result()


def trained(form: Form, grad: Tensor) -> Form:
    """Return a form with both gradients."""

    def run(x: Tensor, weight: Tensor) -> Any:
        x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
        return torch.autograd.grad(form(x, weight), (x, weight), grad)

    return run


class Before:
    """SKA of another checkout, in a process of its own that waits for orders, see :func:`serve`."""

    def __init__(self, checkout: str) -> None:
        command = [sys.executable, __file__, "--serve"]
        environment = {**os.environ, "PYTHONPATH": checkout}
        self._process = subprocess.Popen(  # noqa: S603 - this file
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ask(self, *words: object) -> float:
        """Return what the process answers to one line: seconds."""
        print(*words, file=self._process.stdin, flush=True)
        answers: Any = self._process.stdout
        return float(answers.readline())


def serve() -> None:
    """Answer orders: "make" tensors and forms, or time a form ``repeats`` times."""
    forms: dict[str, dict[str, Form]] = {}
    tensors: tuple[Tensor, Tensor] = (torch.empty(0), torch.empty(0))
    for line in sys.stdin:
        words = line.split()
        if words[0] == "make":
            torch.set_num_threads(int(words[5]))
            x, weight, grad = made((int(words[1]), int(words[2])), int(words[3]), words[4], words[6])
            tensors, forms = (x, weight), own_forms(ska, grad)
            for part in forms.values():
                part["cpu"](*tensors)
            print(0.0, flush=True)
        else:
            with torch.set_grad_enabled(words[1] == "gradients"):
                print(timed(forms[words[1]]["cpu"], tensors, int(words[2])), flush=True)


def own_forms(form: Form, grad: Tensor) -> dict[str, dict[str, Form]]:
    """Return SKA in the three parts that are measured."""
    return {
        "forward": {"cpu": form},
        "backward": {"cpu": lambda x, weight: ska_cpu.backward(grad, x, weight, KERNEL)},
        "gradients": {"cpu": trained(form, grad)},
    }


def made(shape: tuple[int, int], batch: int, dtype: str, layout: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return features, weights and a gradient of the result."""
    channels, side = shape
    x = torch.randn(batch, channels, side, side).to(getattr(torch, dtype))
    weight = torch.randn(batch, channels // SHARED * KERNEL**2, side, side).to(x.dtype)
    if layout == "nhwc":
        x, weight = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, weight))
    return x, weight.view(batch, channels // SHARED, KERNEL**2, side, side), torch.randn_like(x)


def timed(form: Form, tensors: Sequence[Tensor], repeats: int) -> float:
    """Return the seconds of one call, the mean of `repeats`."""
    started = time.perf_counter()
    for _ in range(repeats):
        form(*tensors)
    return (time.perf_counter() - started) / repeats


def rounds_of(
    part: str, forms: dict[str, Form], tensors: Sequence[Tensor], rounds: int, before: Before | None
) -> Times:
    """Return the seconds of each form in each round; forms take turns, short ones several times per turn."""
    repeats, times = {}, defaultdict(list)
    for name, form in forms.items():
        form(*tensors)
        repeats[name] = max(1, min(50, int(0.01 / timed(form, tensors, 1))))
    for _ in range(rounds):
        for name, form in forms.items():
            times[name].append(timed(form, tensors, repeats[name]))
        if before:
            times["before"].append(before.ask("time", part, repeats["cpu"]))
    return times


def measure(
    shape: tuple[int, int], batch: int, args: argparse.Namespace, before: Before | None
) -> dict[str, Times]:
    """Return the times of all forms: ``{"forward": {...}, "backward": {...}, "gradients": {...}}``."""
    x, weight, grad = made(shape, batch, args.dtype, args.layout)
    if before:
        before.ask("make", *shape, batch, args.dtype, args.threads_now, args.layout)
    parts = own_forms(ska, grad)
    peers: dict[str, Form] = {} if args.only_floor else {"unfold": unfolded, "shifted": shifted}
    if peers and args.compile:
        torch.compiler.reset()
        peers["compiled"] = torch.compile(shifted, dynamic=False)
    parts["forward"] |= peers
    parts["gradients"] |= {name: trained(form, grad) for name, form in peers.items()}
    with ThreadPoolExecutor(1) as pool:
        parts["forward"]["floor"] = memory_floor(pool, args.threads_now, x, weight)
        parts["backward"]["floor"] = backward_floor(pool, args.threads_now, grad, x, weight)
        found = {}
        for part, forms in parts.items():
            with torch.set_grad_enabled(part == "gradients"):
                found[part] = rounds_of(part, forms, (x, weight), args.rounds, before)
    return found


def ratios(times: Times, over: str, under: str) -> list[float]:
    """Return the quartiles over the rounds of one form's time divided by another's."""
    found = [a / b for a, b in zip(times[over], times[under], strict=True)]
    return statistics.quantiles(found, n=4, method="inclusive")


def table(title: str, rows: dict[str, Times]) -> None:
    """Print the time of the `cpu` backend, the factors of the other forms, and how it stands to the floor."""
    names = [name for name in FORMS if any(name in times for times in rows.values())]
    has_floor = any("floor" in times for times in rows.values())
    print(f"\n{title}\n{'shape':<12}{'cpu, us':>10}" + "".join(f"{name:>10}" for name in names), end="")
    print("   times the floor (quartiles)" if has_floor else "")
    columns: list[list[float]] = []
    for row, times in rows.items():
        factors = [ratios(times, name, "cpu")[1] for name in names]
        print(f"{row:<12}{1e6 * statistics.median(times['cpu']):10.0f}", end="")
        print("".join(f"{factor:9.2f}x" for factor in factors), end="")
        if has_floor:
            low, middle, high = ratios(times, "cpu", "floor")
            print(f"{middle:10.2f} ({low:.2f} to {high:.2f})", end="")
            factors.append(middle)
        print()
        columns.append(factors)
    means = [math.prod(column) ** (1 / len(rows)) for column in zip(*columns, strict=True)]
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
    parser.add_argument("--only-floor", action="store_true", help="leave out unfold and shifted views")
    parser.add_argument("--before", help="checkout of another version, measured in the same rounds")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.manual_seed(0)
    if args.serve:
        serve()
        return
    before = Before(args.before) if args.before else None
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    for threads in args.threads:
        args.threads_now = threads
        torch.set_num_threads(threads)
        for dtype in args.dtypes:
            args.dtype = dtype
            for layout in args.layouts:
                args.layout = layout
                found: dict[str, dict[str, Times]] = defaultdict(dict)
                for name in args.shapes:
                    for batch in args.batches:
                        for part, times in measure(SHAPES[name], batch, args, before).items():
                            found[part][f"{name}, {batch}"] = times
                for part, rows in found.items():
                    table(f"{TITLES[part]}, {dtype}, {layout}, {threads} thread(s)", rows)


if __name__ == "__main__":
    main()
