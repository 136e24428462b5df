"""Agreement of lsbench's timings with independent harnesses on the same model, batch and threads.

The harnesses take turns within each round, in alternating order, on the same model and images in this
process: lsbench's session as its measuring process runs it, `torch.utils.benchmark` (`blocked_autorange`,
medians of blocks), and timm's `benchmark.py`, a script in timm's repository that its wheel lacks: give its
path. With --apart, lsbench and `torch.utils.benchmark` also measure in fresh processes, as a job does. The
table shows medians over rounds, and the median and quartiles of the ratios to torch's harness within each
round. Run on an idle machine:

    python benchmarks/timing_agreement.py [--model lsnet_t] [--batch 1] [--size 224] [--threads 1]
                                          [--rounds 15] [--seconds 2] [--apart]
                                          [--timm-benchmark FILE] [--device cpu]
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils import benchmark

from lsbench.timing.host_load import HostLoad
from lsbench.timing.launch import run_apart
from lsbench.timing.passes import create_images, create_pass, create_subject
from lsbench.timing.request import Budget, Reply, Request, Setting, TimedModel
from lsbench.timing.session import Session
from lsbench.timing.watch import Watch

TORCH, TORCH_APART = "torch.utils.benchmark", "torch.utils.benchmark, fresh process"
Harness = Callable[[], float]


def median_of(reply: Reply) -> float:
    """Return the median of all samples, disturbed ones included, since torch's harness marks none."""
    return statistics.median(reply.seconds)


def lsbench_here(model: nn.Module, images: Tensor, request: Request) -> Harness:
    """Return a call of lsbench's session on a model in this process."""

    def run() -> float:
        watch = Watch(HostLoad(), None, max_other_cpus=request.budget.max_other_cpus)
        one_pass = create_pass(model, images, request.setting)
        return median_of(Session([one_pass], request.budget, watch, time.perf_counter).run())

    return run


def torch_here(model: nn.Module, images: Tensor, threads: int, seconds: float) -> Harness:
    """Return a call of torch's own harness on a model in this process."""
    timer = benchmark.Timer("model(images)", globals={"model": model, "images": images}, num_threads=threads)
    return lambda: float(timer.blocked_autorange(min_run_time=seconds).median)


def torch_apart(request: Request) -> Harness:
    """Return a call of torch's own harness in a fresh process, which runs this file."""
    command = [sys.executable, __file__, "--answer", request.model_dump_json()]

    def run() -> float:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - this file
        return float(done.stdout.splitlines()[-1])

    return run


def answer(request: Request) -> None:
    """Print the seconds measured by torch's harness in this process."""
    torch.set_num_threads(request.setting.threads)
    with torch.inference_mode():
        model = create_subject(request.subject, request)
        images = create_images(request.batch_size, request.img_size, request.setting, request.device)
        run = torch_here(model, images, request.setting.threads, request.budget.max_s)
        run()  # warm-up, as long as the measurement
        print(run())


def timm_here(path: str, model: nn.Module, images: Tensor, name: str, device: str) -> Harness:
    """Return a call of timm's harness on a model in this process: the unchanged mean of 40 passes."""
    spec = importlib.util.spec_from_file_location("timm_benchmark", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    logging.getLogger("validate").setLevel(logging.WARNING)
    runner = module.InferenceBenchmarkRunner(
        name, device=device, batch_size=len(images), num_bench_iter=40, img_size=images.shape[-1]
    )
    runner.model, runner.scripted = model, True  # skips the FLOP count, as for a scripted model
    return lambda: float(runner.run()["step_time"]) / 1e3


def in_rounds(harnesses: dict[str, Harness], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each harness in each round; every other round runs in reverse order."""
    found: dict[str, list[float]] = {name: [] for name in harnesses}
    for number in range(rounds):
        for name in list(harnesses)[:: 1 if number % 2 else -1]:
            found[name].append(harnesses[name]())
    return found


def show(found: dict[str, list[float]]) -> None:
    """Print one line per harness: milliseconds, and the ratio to torch's harness of the same kind."""
    print(f"{'harness':<40}{'ms':>9}{'ratio':>9}   quartiles")
    for name, seconds in found.items():
        peer = TORCH_APART if "process" in name else TORCH
        ratios = [a / b for a, b in zip(seconds, found[peer], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        milliseconds = 1e3 * statistics.median(seconds)
        print(f"{name:<40}{milliseconds:>9.3f}{middle:>9.4f}   {low:.4f} to {high:.4f}")


def main() -> None:
    """Let the harnesses take turns and print their results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="lsnet_t")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--timm-benchmark", metavar="FILE")
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.answer:
        answer(Request.model_validate_json(args.answer))
        return
    request = Request(
        subject=TimedModel(model=args.model),
        seed=0,
        num_classes=1000,
        img_size=args.size,
        batch_size=args.batch,
        device=args.device,
        setting=Setting(threads=args.threads),
        budget=Budget(target_noise=1e-9, min_s=args.seconds, max_s=args.seconds),
    )
    torch.set_num_threads(args.threads)
    with torch.inference_mode():
        model = create_subject(request.subject, request)
        images = create_images(args.batch, args.size, request.setting, args.device)
        harnesses = {
            TORCH: torch_here(model, images, args.threads, args.seconds),
            "lsbench": lsbench_here(model, images, request),
        }
        if args.timm_benchmark:
            timm_run = timm_here(args.timm_benchmark, model, images, args.model, args.device)
            harnesses["timm benchmark.py (mean)"] = timm_run
        if args.apart:
            harnesses[TORCH_APART] = torch_apart(request)
            harnesses["lsbench, forked process"] = lambda: median_of(run_apart(request))
        harnesses[TORCH]()
        found = in_rounds(harnesses, args.rounds)
    what = f"{args.model}, batch {args.batch}, {args.size} px, {args.threads} thread(s)"
    print(f"torch {torch.__version__}, {what}")
    show(found)


if __name__ == "__main__":
    main()
