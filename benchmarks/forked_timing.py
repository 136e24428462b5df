"""Does a process forked from the preloaded server time a model as a new interpreter does?

Each round times a model in a new interpreter and in a forked process, in turns, every other round in reverse
order. Printed are the ratio of the medians of both kinds, its 95 % interval (bootstrap over processes), and
how much processes of each kind differ from one another (half the distance of the quartiles over the median).
With --cpu-time seconds are those of the processor, for a machine that others use, too. Otherwise the machine
should be idle:

    python benchmarks/forked_timing.py --rounds 30
    python benchmarks/forked_timing.py --rounds 12 --cpu-time --models lsnet_nano
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lsbench.core.forking import FOLDER, ONE_THREAD, connect_to
from lsbench.timing.launch import THREADS, run_apart
from lsbench.timing.request import Budget, Reply, Request, Setting, TimedModel

CPU_TIME = "import time; time.perf_counter = time.process_time\n"
FRESH = """
import json, sys
from lsbench.timing.measure import answer
from lsbench.timing.request import Request
print(json.dumps(answer(Request.model_validate_json(sys.stdin.readline()))))
"""
SERVER = "from lsbench.scheduler.forkserver import main; main()"
KINDS = ("new interpreter", "forked")
DRAWS = 10_000


def start_server(prefix: str) -> subprocess.Popen[bytes]:
    """Start a fork server whose processes read the clock of `prefix`, and let `run_apart` use it."""
    folder = Path(tempfile.mkdtemp(prefix="lsbench-"))
    command = [sys.executable, "-P", "-c", prefix + SERVER, str(folder), str(os.getpid())]
    server = subprocess.Popen(command, env={**os.environ, **ONE_THREAD})  # noqa: S603
    while (connection := connect_to(folder)) is None:
        if server.poll() is not None:
            raise SystemExit("the fork server did not start")
        time.sleep(0.1)
    connection.close()
    os.environ[FOLDER] = str(folder)
    return server


def timed_afresh(request: Request, prefix: str) -> Reply:
    """Return the reply of a new interpreter."""
    env = {**os.environ, **dict.fromkeys(THREADS, str(request.setting.threads))}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-P", "-c", prefix + FRESH],
        input=request.model_dump_json() + "\n",
        stdout=subprocess.PIPE,
        env=env,
        text=True,
        check=True,
    )
    return Reply.model_validate_json(done.stdout)


def spread(values: np.ndarray) -> float:
    """Return half the distance of the quartiles over the median."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return float((high - low) / 2 / middle)


def compare(request: Request, rounds: int, prefix: str) -> str:
    """Return one line on both kinds of process for one request."""
    ways = {KINDS[0]: lambda: timed_afresh(request, prefix), KINDS[1]: lambda: run_apart(request)}
    found: dict[str, list[Reply]] = {kind: [] for kind in KINDS}
    for number in range(rounds):
        for kind in KINDS[:: 1 if number % 2 else -1]:
            found[kind].append(ways[kind]())
    seconds = {
        kind: np.array([statistics.median(one.seconds) for one in replies]) for kind, replies in found.items()
    }
    fresh, forked = (seconds[kind] for kind in KINDS)
    draw = np.random.default_rng(0).integers(0, rounds, (2, DRAWS, rounds))
    ratios = np.median(forked[draw[0]], axis=1) / np.median(fresh[draw[1]], axis=1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    peaks = [statistics.median(one.peak_memory_mib or 0.0 for one in found[kind]) for kind in KINDS]
    return (
        f"{request.subject.model:22} b={request.batch_size:<3} {1e3 * np.median(fresh):8.3f} ms afresh, "
        f"{1e3 * np.median(forked):8.3f} forked, ratio {np.median(forked) / np.median(fresh):.4f} "
        f"[{low:.4f}, {high:.4f}]; processes differ by {spread(fresh):.2%} and {spread(forked):.2%}; "
        f"peak memory {peaks[0]:.0f} and {peaks[1]:.0f} MiB"
    )


def main() -> None:
    """Compare the two kinds of process and print one line for each model and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["lsnet_nano", "lsnet_t", "mobilenetv3_large_100"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each timing")
    parser.add_argument("--cpu-time", action="store_true", help="of the processor, on a busy machine")
    args = parser.parse_args()
    prefix = CPU_TIME if args.cpu_time else ""
    server = start_server(prefix)
    for model in args.models:
        for batch in args.batches:
            request = Request(
                subject=TimedModel(model=model),
                seed=0,
                num_classes=100,
                img_size=args.size,
                batch_size=batch,
                device="cpu",
                setting=Setting(threads=args.threads),
                budget=Budget(target_noise=1e-9, min_s=args.seconds, max_s=args.seconds),
            )
            print(compare(request, args.rounds, prefix), flush=True)
    server.kill()


if __name__ == "__main__":
    main()
