"""Compare the time left that a run tells with the time that it then takes, at each second of the run.

The run is ``lsbench run``, and what it tells is read as ``lsbench status`` reads it. A moment is right if the
time told is within 1.5 times the true one or within 10 s of it; the first tenth of the run does not count. A
moment at which the time is unknown is wrong.

    python benchmarks/eta.py RESULTS benchmarks/eta_profiles.yaml               # nothing is known
    python benchmarks/eta.py RESULTS benchmarks/eta_profiles.yaml --rerun '*'   # durations are known
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from lsbench.store.durations import Remaining, read_time_left
from lsbench.store.results import ResultsFolder

FACTOR, SLACK_S, UNCOUNTED = 1.5, 10.0, 0.1


def watch(command: list[str], root: Path) -> tuple[list[tuple[float, Remaining | None]], float]:
    """Run a command; return what it told of the time left each second, and how long it took."""
    began, moments = time.monotonic(), []
    process = subprocess.Popen(command)  # noqa: S603 - our own command
    while process.poll() is None:
        time.sleep(1)
        folders = [ResultsFolder(path.parent) for path in root.glob("*/*/time_left.json")]
        moments.append((time.monotonic() - began, read_time_left(folders[0]) if folders else None))
    return moments, time.monotonic() - began


def is_right(told: Remaining | None, true: float) -> bool:
    """Return whether an estimate is near enough."""
    if told is None or told.seconds is None or told.unknown:
        return true <= SLACK_S
    return abs(told.seconds - true) <= SLACK_S or true / FACTOR <= told.seconds <= true * FACTOR


def main() -> None:
    """Run a suite and print every moment, then the share of those that were right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="folder for results; an empty one knows no durations")
    parser.add_argument("arguments", nargs="+", help="arguments of `lsbench run`: a suite and options")
    asked, more = parser.parse_known_args()
    command = [
        sys.executable,
        "-m",
        "lsbench",
        "run",
        *asked.arguments,
        *more,
        "--results",
        str(asked.results),
    ]
    moments, took = watch(command, asked.results)
    counted = []
    for at, told in moments:
        right = is_right(told, took - at)
        counted += [right] if at > UNCOUNTED * took else []
        text = "nothing told" if told is None else told.text()
        print(f"{at:7.1f} s: {took - at:7.1f} s were left; {text}{'' if right else '   <- wrong'}")
    share = sum(counted) / max(len(counted), 1)
    print(
        f"{took:.0f} s in all; right at {100 * share:.1f} % of {len(counted)} moments after the first tenth"
    )


if __name__ == "__main__":
    main()
