"""Images per second on one core in PyTorch, ONNX Runtime and OpenVINO, and how often their answers differ.

All models run at 224 pixels with random weights, fused: in PyTorch with channels_last and packed weights, in
the other two as the ONNX file that lsbench exports for that batch. A process has one thread; its CPU time
counts. Models take turns for several rounds, and within a round the runtimes do. With `--before`, the code of
another checkout exports and runs the same models in a process of its own, in turns with this one, and the
tables show its rates and the ratio. Needs `lsbench[onnxruntime,openvino]`:

    python benchmarks/runtimes.py [--batches 1 32] [--models lsnet_t ...] [--rounds 3] [--turns 5]
                                  [--before PATH_OF_ANOTHER_CHECKOUT]
    python benchmarks/runtimes.py --agreement [--models lsnet_nano] [--size 32] [--images 10000]

`--agreement` runs every runtime of this machine on the embedded test images and counts those whose most
likely class is not PyTorch's.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

MODELS = (
    *("lsnet_t", "lsnet_s", "lsnet_b"),
    *("efficientvit_m4", "mobilenetv3_large_100", "mobilenetv4_conv_small"),
    *("shvit_s1", "repvit_m0_9", "starnet_s1"),
)
RUNTIMES = ("eager", "onnxruntime", "openvino")
CHECKED = ("compile", "aot", "onnxruntime", "openvino")
SIZE = 224
#: Least seconds of one turn.
TURN_S = 0.2
HERE = Path(__file__).resolve()
#: Checkout, model, batch and runtime -> seconds per pass of each turn.
Times: TypeAlias = dict[tuple[str, str, int, str], list[float]]


# --- the process that runs the models of one checkout ------------------------------------------------------


class Worker:
    """Exports and runs models with the code of the checkout that is first on the path."""

    def __init__(self, folder: Path) -> None:
        import torch

        torch.set_num_threads(1)
        self._folder, self._calls = folder, dict[str, Callable[[], Any]]()
        self._passes: dict[str, int] = {}

    def export(self, model: str, batch: int) -> float:
        """Write the ONNX file of a model and return the seconds that it took."""
        try:
            from lsbench.models import programs
        except ImportError:  # where older checkouts have it
            from lsbench.export import programs  # type: ignore[no-redef,attr-defined]

        started = time.perf_counter()
        made, images = _fused(model, batch)
        content = programs.to_onnx(programs.trace(made, images, name=model), name=model)
        self._file(model, batch).write_bytes(content)
        return time.perf_counter() - started

    def load(self, model: str, batch: int) -> dict[str, float]:
        """Load a model in every runtime and return the largest differences to PyTorch, relative."""
        import torch

        self._calls.clear()
        self._passes.clear()
        gc.collect()
        made, images = _fused(model, batch)
        with torch.inference_mode():
            expected = made(images)
        file = str(self._file(model, batch))
        self._calls["eager"] = _eager(made, images)
        self._calls["onnxruntime"] = _onnxruntime(file, images)
        self._calls["openvino"] = _openvino(file, images)
        found = {name: torch.as_tensor(call()) for name, call in self._calls.items()}
        return {name: float((y - expected).abs().max() / expected.abs().max()) for name, y in found.items()}

    def turn(self, runtime: str) -> float:
        """Return the seconds of CPU time of a pass, the mean of a turn; the pass before it does not count."""
        call = self._calls[runtime]
        started = time.process_time()
        call()
        passes = self._passes.setdefault(
            runtime, math.ceil(TURN_S / max(time.process_time() - started, 1e-4))
        )
        started = time.process_time()
        for _ in range(passes):
            call()
        return (time.process_time() - started) / passes

    def _file(self, model: str, batch: int) -> Path:
        return self._folder / f"{model}-{batch}.onnx"


def _fused(name: str, batch: int) -> tuple[Any, Any]:
    """Return the fused model and images."""
    import torch

    from lsbench.models.factory import create_model
    from lsbench.models.fusion import fuse

    torch.manual_seed(0)
    model = create_model(name, num_classes=1000, img_size=SIZE).eval()
    return fuse(model), torch.randn(batch, 3, SIZE, SIZE)


def _eager(model: Any, images: Any) -> Callable[[], Any]:
    import torch

    from lsbench.models.packed_conv import pack

    packed = pack(model.to(memory_format=torch.channels_last))
    laid = images.to(memory_format=torch.channels_last)

    def run() -> Any:
        with torch.inference_mode():
            return packed(laid)

    return run


def _onnxruntime(file: str, images: Any) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: images.numpy()}
    return lambda: session.run(None, feed)[0]


def _openvino(file: str, images: Any) -> Callable[[], Any]:
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": "1",
        "ENABLE_CPU_PINNING": "NO",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = openvino.Core()
    request = core.compile_model(core.read_model(file), "CPU", settings).create_infer_request()
    tensor = openvino.Tensor(images.numpy(), shared_memory=True)
    return lambda: request.infer([tensor])[0]


def work(folder: Path) -> None:
    """Answer one line of JSON on stdin after another: the name of a method and its arguments."""
    worker, answers = Worker(folder), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print does not mix with the answers
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(getattr(worker, name)(*arguments)), file=answers, flush=True)


# --- the process that asks and prints ----------------------------------------------------------------------

Ask = Callable[..., Any]


@contextmanager
def started(checkout: Path) -> Iterator[Ask]:
    """Start the worker of a checkout, and give a function that asks it."""
    env = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE), "--work", folder]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=env, **pipes) as process:  # noqa: S603 - this file
            said, answers = process.stdin, process.stdout
            if said is None or answers is None:
                raise RuntimeError("no pipes")

            def ask(name: str, *arguments: Any) -> Any:
                print(json.dumps([name, arguments]), file=said, flush=True)
                line = answers.readline()
                if not line:
                    raise SystemExit(f"{checkout}: the process that runs the models ended; see above")
                return json.loads(line)

            yield ask
            said.close()


def measure(asks: dict[str, Ask], models: list[str], batches: list[int], *, rounds: int, turns: int) -> Times:
    """Return the times of all models in all runtimes, in the code of all checkouts, in turns."""
    times: Times = {}
    cases = list(itertools.product(models, batches))
    for model, batch in cases:
        taken = [f"{ask('export', model, batch):.0f} s" for ask in asks.values()]
        print(f"{model}, batch {batch}: exported in {' and '.join(taken)}", file=sys.stderr)
    for _, (model, batch) in itertools.product(range(rounds), cases):
        for name, ask in asks.items():
            _check(f"{model}, batch {batch}, {name}", ask("load", model, batch))
        for _, runtime, name in itertools.product(range(turns), RUNTIMES, asks):
            times.setdefault((name, model, batch, runtime), []).append(asks[name]("turn", runtime))
    return times


def _check(what: str, differences: dict[str, float]) -> None:
    told = ", ".join(f"{runtime} {value:.1e}" for runtime, value in differences.items())
    if not max(differences.values()) <= 1e-4:
        raise SystemExit(f"{what}: differs from the model by {told} of the largest logit")


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Return the quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return low, middle, high


def print_rates(times: Times, models: list[str], batches: list[int], name: str) -> None:
    """Print the table of images per second of one checkout, with quartiles."""
    print(f"\nimages per second, {name}, medians [quartiles] of {len(next(iter(times.values())))} turns\n")
    heads = [f"{runtime} b={batch}" for runtime in RUNTIMES for batch in batches]
    print(f"| | {' | '.join(heads)} |\n| --- |{' ---: |' * len(heads)}")
    for model in models:
        cells = []
        for runtime in RUNTIMES:
            for batch in batches:
                low, middle, high = quartiles([batch / s for s in times[name, model, batch, runtime]])
                cells.append(f"{middle:.1f} [{low:.1f}, {high:.1f}]")
        print(f"| {model} | {' | '.join(cells)} |")


def print_ratios(times: Times, models: list[str], batches: list[int]) -> None:
    """Print how many times as fast this checkout is as the other one, turn by turn."""
    print("\ntimes as fast as before, medians [quartiles] over pairs of turns\n")
    heads = [f"{runtime} b={batch}" for runtime in RUNTIMES for batch in batches]
    means = [f"{runtime} geometric mean" for runtime in RUNTIMES]
    print(f"| | {' | '.join([*heads, *means])} |\n| --- |{' ---: |' * len([*heads, *means])}")
    for model in models:
        cells, middles = [], dict[str, list[float]]()
        for runtime in RUNTIMES:
            for batch in batches:
                pairs = zip(
                    times["before", model, batch, runtime], times["now", model, batch, runtime], strict=True
                )
                low, middle, high = quartiles([before / now for before, now in pairs])
                cells.append(f"{middle:.3f} [{low:.3f}, {high:.3f}]")
                middles.setdefault(runtime, []).append(middle)
        told = [f"{statistics.geometric_mean(middles[runtime]):.3f}" for runtime in RUNTIMES]
        print(f"| {model} | {' | '.join([*cells, *told])} |")


# --- agreement ---------------------------------------------------------------------------------------------


def print_agreement(models: list[str], *, size: int, count: int, batch: int) -> None:
    """Print how the runtimes of this machine differ from PyTorch on the embedded test images."""
    import torch

    from lsbench.core.registry import RUNTIMES as REGISTRY
    from lsbench.engine.real_images import real_images
    from lsbench.models.factory import create_model
    from lsbench.models.fusion import fuse
    from lsbench.runtimes import Form, prepare
    from lsbench.timing.building import compared, run_all

    torch.set_num_threads(1)
    images = real_images({"name": "fashion", "img_size": size}, None, "test", count=count, img_size=size)
    print(f"{len(images)} embedded test images at {size} pixels, batches of {batch}")
    print(
        "| model | runtime | largest difference / largest logit | other top-1 |\n| --- | --- | ---: | ---: |"
    )
    for name in models:
        torch.manual_seed(0)
        model = create_model(name, num_classes=10, img_size=size).eval()
        with torch.no_grad():
            expected = run_all(model, images, batch)  # type: ignore[arg-type]
        for runtime in CHECKED:
            if (problem := REGISTRY.load(runtime).problem(runtime, device="cpu")) is not None:
                print(f"| {name} | {runtime} | {problem} | |")
                continue
            with tempfile.TemporaryDirectory() as folder, torch.no_grad():
                ready = prepare(runtime, fuse(model), images[:batch], Form(), Path(folder))
                built = compared(run_all(ready, images, batch), expected)
            others = round((1 - built.agreement) * built.images)
            print(f"| {name} | {runtime} | {built.difference:.1e} | {others} of {built.images} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--agreement", action="store_true")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work is not None:
        work(args.work)
        return
    if args.agreement:
        print_agreement(args.models or ["lsnet_nano"], size=args.size, count=args.images, batch=100)
        return
    models = args.models or list(MODELS)
    versions = {name: __import__(name).__version__ for name in ("torch", "timm", "onnxruntime", "openvino")}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    with started(HERE.parents[1]) as now:
        asks = {"now": now}
        measuring = {"rounds": args.rounds, "turns": args.turns}
        if args.before is None:
            times = measure(asks, models, args.batches, **measuring)
        else:
            with started(args.before.resolve()) as before:
                times = measure({"before": before, **asks}, models, args.batches, **measuring)
    for name in dict.fromkeys(key[0] for key in times):
        print_rates(times, models, args.batches, name)
    if args.before is not None:
        print_ratios(times, models, args.batches)


if __name__ == "__main__":
    main()
