"""Processor time of compiling the loops of a training, loop by loop, with an empty cache of them.

Numba's own start and the import of everything else, which a job's process is forked with, are not counted.
With `--before`, another checkout takes turns with this one, each time in a new process.

    python benchmarks/first_use.py [--before CHECKOUT] [--model lsnet_nano] [--mixer ls_conv] [--rounds 4]
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from training_step import create_step

ROOT = Path(__file__).resolve().parent.parent


def compile_all(arguments: argparse.Namespace) -> None:
    """Make a training step and print the seconds of each loop that it compiles."""
    from numba.core import event

    from lsbench.core.loops import make_ready

    class Timer(event.Listener):
        """Notes the seconds of each loop, with those that it calls."""

        def __init__(self) -> None:
            self.started: list[float] = []

        def on_start(self, event: Any) -> None:
            self.started.append(time.process_time())

        def on_end(self, event: Any) -> None:
            seconds = time.process_time() - self.started.pop()
            if not self.started:
                print(event.data["dispatcher"].py_func.__name__, seconds)

    make_ready()
    step = create_step(arguments.model, arguments.mixer, 64, 28)
    gc.collect()
    gc.freeze()
    event.register("numba:compile", Timer())
    step()


def measure(checkout: Path, words: list[str]) -> dict[str, float]:
    """Return the seconds of the loops of a checkout in a new process."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(  # noqa: S603 - this file, with its own options
            [sys.executable, __file__, "--alone", *words],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(checkout), "NUMBA_CACHE_DIR": cache, "OMP_NUM_THREADS": "1"},
        )
    pairs = (line.split() for line in done.stdout.splitlines())
    return {name: float(seconds) for name, seconds in pairs}


def main() -> None:
    """Compile in turns and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--model", default="lsnet_nano")
    parser.add_argument("--mixer", default="ls_conv")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        compile_all(arguments)
        return
    checkouts = {"now": ROOT} | ({"before": arguments.before.resolve()} if arguments.before else {})
    words = [f"--model={arguments.model}", f"--mixer={arguments.mixer}"]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    for _ in range(arguments.rounds):
        for name, path in checkouts.items():
            found[name].append(measure(path, words))
    for name, rounds in found.items():
        sums = [sum(seconds.values()) for seconds in rounds]
        loops = {loop: statistics.median(seconds[loop] for seconds in rounds) for loop in rounds[0]}
        print(f"{name:<8}{statistics.median(sums):>7.2f} s ({min(sums):.2f} to {max(sums):.2f})")
        print("        " + ", ".join(f"{loop} {seconds:.2f}" for loop, seconds in loops.items()))


if __name__ == "__main__":
    main()
