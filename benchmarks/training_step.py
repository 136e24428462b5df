"""Processor time of one training step of a small model, and its parts, compared with another checkout.

A step is what a train job of the suite `ablations` does with a batch on one core: forward pass and loss,
backward pass, update of the weights, with the settings of the checkout's own suite. Every checkout trains the
same model on the same images in a process of its own; the processes take turns of a few steps, and the table
shows medians over the turns and the quartiles of the ratio within each turn. Run on an idle machine:

    python benchmarks/training_step.py [--before CHECKOUT] [--model lsnet_nano] [--mixer ls_conv]
                                       [--batch 64 --batch 16] [--rounds 40]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

ROOT = Path(__file__).resolve().parent.parent
STEPS = 5
NUM_CLASSES = 10
PARTS = ("forward", "backward", "optimizer", "step")


def create_step(model_name: str, mixer: str, batch: int, size: int) -> Callable[[], tuple[float, ...]]:
    """Return a call that makes a step and returns the seconds of its parts."""
    import torch
    import yaml

    import lsbench
    from lsbench.engine import process
    from lsbench.engine.objective import Objective
    from lsbench.engine.process import prepare_process
    from lsbench.engine.recipe import Recipe
    from lsbench.engine.training_state import TrainingState
    from lsbench.models.factory import create_model

    prepare_process(threads=1, seed=0, wants_gpu=False)
    getattr(process, "keep_freed_memory", lambda: None)()  # as the trainer does, in checkouts that have it
    model = create_model(model_name, num_classes=NUM_CLASSES, img_size=size, mixer=mixer)
    model = model.to(memory_format=torch.channels_last).train()
    suite = yaml.safe_load((Path(lsbench.__file__).parent.parent / "suites/ablations.yaml").read_text())
    recipe = Recipe(**{**suite["jobs"][0]["train"], "batch_size": batch})
    state = TrainingState.create(model, recipe, device="cpu")
    objective = Objective(recipe, NUM_CLASSES)
    images = torch.randn(batch, 3, size, size)
    targets = torch.randint(0, NUM_CLASSES, (batch,))

    def step() -> tuple[float, ...]:
        times = [time.process_time()]
        state.optimizer.zero_grad(set_to_none=True)
        prepared = objective.prepare(
            (images, targets), device="cpu", memory_format=torch.channels_last, seed=0
        )
        loss = objective.loss(model, prepared)
        times.append(time.process_time())
        loss.backward()
        times.append(time.process_time())
        state.optimizer.step()
        times.append(time.process_time())
        return times[1] - times[0], times[2] - times[1], times[3] - times[2], times[3] - times[0]

    return step


def serve(arguments: argparse.Namespace) -> None:
    """Make steps whenever a line comes in, and print the medians of their parts in ms."""
    step = create_step(arguments.model, arguments.mixer, arguments.batch[0], arguments.size)
    for _ in range(10):
        step()
    print("ready", flush=True)
    for _ in sys.stdin:
        parts = zip(*(step() for _ in range(STEPS)), strict=True)
        print(*(1000 * statistics.median(part) for part in parts), flush=True)


class Worker:
    """A process that trains with the code of one checkout."""

    def __init__(self, checkout: Path, arguments: argparse.Namespace, batch: int) -> None:
        options = [f"--{name}={getattr(arguments, name)}" for name in ("model", "mixer", "size")]
        command = [sys.executable, __file__, "--serve", f"--batch={batch}", *options]
        self._process = subprocess.Popen(  # noqa: S603 - this file, with the options above
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
        )
        self._in, self._out = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        self._read("ready")

    def measure(self) -> list[float]:
        """Return the ms of the parts of a step."""
        self._in.write("\n")
        self._in.flush()
        return [float(number) for number in self._read("").split()]

    def close(self) -> None:
        """End the process."""
        self._in.close()
        self._process.wait()

    def _read(self, expected: str) -> str:
        line = self._out.readline()
        if not line or not line.startswith(expected):
            raise SystemExit("a training process has ended early; its message is above")
        return line


def compare(arguments: argparse.Namespace, batch: int) -> None:
    """Print the table of one batch size."""
    checkouts = {"now": ROOT} | ({"before": arguments.before.resolve()} if arguments.before else {})
    workers = {name: Worker(path, arguments, batch) for name, path in checkouts.items()}
    found: dict[str, list[list[float]]] = {name: [] for name in workers}
    order = list(workers)
    for _ in range(arguments.rounds):
        for name in order:
            found[name].append(workers[name].measure())
        order.reverse()
    for worker in workers.values():
        worker.close()
    print(f"{arguments.model}, {arguments.mixer}, {arguments.size} px, batch {batch}, ms of one core")
    print(f"{'':<12}" + "".join(f"{name:>10}" for name in workers) + f"{'ratio':>9}  quartiles")
    for index, part in enumerate(PARTS):
        columns = {name: [row[index] for row in rows] for name, rows in found.items()}
        line = f"{part:<12}" + "".join(f"{statistics.median(c):>10.2f}" for c in columns.values())
        if "before" in columns:
            ratios = [a / b for a, b in zip(columns["now"], columns["before"], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            line += f"{middle:>9.3f}  {low:.3f} to {high:.3f}"
        print(line)


def main() -> None:
    """Run the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=Path, help="another checkout")
    parser.add_argument("--model", default="lsnet_nano")
    parser.add_argument("--mixer", default="ls_conv")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments)
        return
    for batch in arguments.batch or (64, 16):
        compare(arguments, batch)


if __name__ == "__main__":
    main()
