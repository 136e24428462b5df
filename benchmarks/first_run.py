"""Waits of a user: `lsbench run smoke`, doctor, list, plan and validate, from warm and from cold caches.

Each command runs in a new interpreter with results of its own, in turns with the same command of another
checkout. Warm: lsbench's cache, compiled loops and bytecode are there. Cold: none of them is, as right after
an installation; the system's cache of files stays as it is. Run on an idle machine, smoke with two cores:

    python benchmarks/first_run.py --before ../lsbench-before
    python benchmarks/first_run.py --before ../lsbench-before --only smoke --rounds 3
    python benchmarks/first_run.py --cold --rounds 1
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent.parent
COMMANDS = {
    "list models": ["list", "models"],
    "list suites": ["list", "suites"],
    "plan smoke": ["plan", "smoke"],
    "plan ablations": ["plan", "ablations"],
    "validate ablations": ["validate", "ablations"],
    "doctor": ["doctor"],
    "run smoke": ["run", "smoke"],
}


def environment(checkout: Path, caches: Path) -> dict[str, str]:
    """Return the environment in which a checkout runs with its caches in a folder."""
    own = {
        "PYTHONPATH": str(checkout),
        "PYTHONPYCACHEPREFIX": str(caches / "bytecode"),
        "LSBENCH_CACHE": str(caches / "lsbench"),
    }
    left_out = ("PYTHONDONTWRITEBYTECODE", "NUMBA_CACHE_DIR")
    return {**{name: value for name, value in os.environ.items() if name not in left_out}, **own}


def once(words: Sequence[str], checkout: Path, caches: Path) -> tuple[float, float]:
    """Return the seconds of wall time and of CPU time, that of ended child processes included."""
    with tempfile.TemporaryDirectory() as folder:
        results = [] if words[0] in ("list", "validate") else ["--results", folder]
        command = [sys.executable, "-P", "-m", "lsbench", *words, *results]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment(checkout, caches), cwd=folder, **silent)  # noqa: S603
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    if status:
        raise SystemExit(f"{checkout}: lsbench {' '.join(words)} ended with status {status}")
    return wall, usage.ru_utime + usage.ru_stime


def rounds_of(
    words: Sequence[str], checkouts: Sequence[Path], caches: Path, count: int, *, is_cold: bool
) -> np.ndarray:
    """Return wall and CPU seconds, shape ``(rounds, checkouts, 2)``; the checkouts take turns."""

    def places() -> Iterator[Path]:
        for number, _ in enumerate(checkouts):
            yield Path(tempfile.mkdtemp(dir=caches)) if is_cold else caches / str(number)

    if not is_cold:
        for checkout, place in zip(checkouts, places(), strict=True):
            once(words, checkout, place)
    found = [
        [once(words, checkout, place) for checkout, place in zip(checkouts, places(), strict=True)]
        for _ in range(count)
    ]
    return np.array(found)


def row(name: str, found: np.ndarray) -> str:
    """Return medians with quartiles of each checkout, and of the ratio of wall times in a round."""
    parts = []
    for number in range(found.shape[1]):
        low, middle, high = np.quantile(found[:, number, 0], (0.25, 0.5, 0.75))
        cpu = np.median(found[:, number, 1])
        parts.append(f"{middle:7.2f} s ({low:.2f} to {high:.2f}), CPU {cpu:6.2f} s")
    if found.shape[1] == 2:
        low, middle, high = np.quantile(found[:, 0, 0] / found[:, 1, 0], (0.25, 0.5, 0.75))
        parts.append(f"{middle:5.2f} times ({low:.2f} to {high:.2f})")
    return f"{name:20} " + " | ".join(parts)


def main() -> None:
    """Measure and print one line for each command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="another checkout, measured in turns")
    parser.add_argument("--only", default="", help="commands whose name contains this")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="without any cache of lsbench's and Python's")
    args = parser.parse_args()
    checkouts = [*([args.before.resolve()] if args.before else []), HERE]
    print(
        f"{'cold' if args.cold else 'warm'} caches, {args.rounds} rounds: {' | '.join(map(str, checkouts))}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, words in COMMANDS.items():
            if args.only in name:
                found = rounds_of(words, checkouts, Path(folder), args.rounds, is_cold=args.cold)
                print(row(name, found), flush=True)


if __name__ == "__main__":
    main()
