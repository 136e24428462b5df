"""Speed of corruptions: lsbench against imagecorruptions 1.1.2, one image at a time on one core.

Per kind, and summed over the benchmark's 15 kinds, at 224 pixels: means over the five severities and over
photographs shipped with scikit-image. In each round both compute the same views with the same generators, one
after the other. A call is repeated within a fixed time, and its minimum of processor time counts. Factors are
geometric means over the rounds. The package runs through the shim of `lsbench.corruptions.oracle`, which
leaves its loops unchanged. OpenCV and numba use one thread; the process pins itself to one core where
possible. All results are compared, since a factor between functions that differ would be meaningless.

Compilation is printed separately: the time of the first image of each kind in a new process, with an empty
and with a filled numba cache. With ``--before``, the same calls are made by another checkout, in turns with
this one's, for both families; bytes that differ from it are counted, too. Run on an idle machine:

    python benchmarks/corruptions.py [--rounds 5] [--kinds glass_blur zoom_blur] [--images 3] [--no-compile]
    python benchmarks/corruptions.py --before CHECKOUT --no-compile
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.corruptions import BENCHMARK, FAMILIES, NAMES, ORIGINALS, SEVERITIES, corrupt
from lsbench.corruptions.opencv import cv2
from lsbench.corruptions.oracle import reference_corrupt

SIDE = 224
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "retina", "immunohistochemistry")
#: A short call is repeated for this many seconds; its minimum counts.
MOMENT = 0.01

Image = NDArray[np.uint8]
Corrupt = Callable[..., Image]

#: Code that a new process runs to time the first image of each kind.
FIRST_CALLS = """
import json, sys, time
started = time.perf_counter()
import numpy as np
from lsbench.corruptions import corrupt
image = np.random.RandomState(0).randint(0, 256, (224, 224, 3)).astype(np.uint8)
seconds = {}
for name in sys.argv[1:]:
    seconds[name] = -time.perf_counter()
    corrupt(image, name, 3, rng=np.random.RandomState(0))
    seconds[name] += time.perf_counter()
print(json.dumps({"all": time.perf_counter() - started, **seconds}))
"""


def photographs(count: int) -> list[Image]:
    """Return the centres of the first `count` photographs, 224 x 224."""
    import skimage.data

    images = []
    for name in PHOTOS[:count]:
        whole = getattr(skimage.data, name)()
        top, left = (whole.shape[0] - SIDE) // 2, (whole.shape[1] - SIDE) // 2
        images.append(np.ascontiguousarray(whole[top : top + SIDE, left : left + SIDE]))
    return images


def timed(function: Corrupt, image: Image, name: str, severity: int, seed: int) -> tuple[float, Image]:
    """Return the minimum processor time of repeated calls in seconds, and the result."""
    fewest, until = math.inf, time.process_time() + MOMENT
    while True:
        rng = RandomState(seed)
        started = time.process_time()
        made = function(image, name, severity, rng=rng)
        ended = time.process_time()
        fewest = min(fewest, ended - started)
        if ended > until:
            return fewest, made


class Before:
    """Another checkout's corruptions, in a process of its own that runs on the same core."""

    def __init__(self, checkout: str, images: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter and this file
            [sys.executable, __file__, "--serve", "--images", str(images)],
            env={**os.environ, "PYTHONPATH": checkout},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def timed(self, image: int, name: str, severity: int, seed: int, family: str) -> tuple[float, str]:
        """Return what :func:`timed` measures there, and the hash of the result."""
        sent, answers = self._process.stdin, self._process.stdout
        if sent is None or answers is None:
            raise RuntimeError("expected a process with pipes")
        sent.write(json.dumps([image, name, severity, seed, family]) + "\n")
        sent.flush()
        seconds, digest = json.loads(answers.readline())
        return seconds, digest

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def serve(images: list[Image]) -> None:
    """Answer the requests of :class:`Before` until there are no more."""
    for line in sys.stdin:
        image, name, severity, seed, family = json.loads(line)
        seconds, made = timed(partial(corrupt, family=family), images[image], name, severity, seed)
        print(json.dumps([seconds, digest_of(made)]), flush=True)


def digest_of(image: Image) -> str:
    """Return a hash of the bytes of an image."""
    return hashlib.sha256(image.tobytes()).hexdigest()


def compare(before: Before, name: str, images: list[Image], family: str, seed: int) -> dict[str, float]:
    """Return the mean milliseconds per image here and there, and the number of images that differ."""
    found: dict[str, float] = defaultdict(float)
    share = 1e3 / len(images) / len(SEVERITIES)
    for number, image in enumerate(images):
        for severity in SEVERITIES:
            ours, made = timed(partial(corrupt, family=family), image, name, severity, seed)
            theirs, digest = before.timed(number, name, severity, seed, family)
            found["ours"] += share * ours
            found["theirs"] += share * theirs
            found["differing"] += digest_of(made) != digest
    return found


def compare_all(checkout: str, kinds: list[str], images: list[Image], rounds: int) -> None:
    """Print a table of this checkout beside another one, per kind and family."""
    before = Before(checkout, len(images))
    print(f"{'kind':<34}{'before, ms':>11}{'now, ms':>10}{'ratio':>12}{'of the rounds':>20}{'differing':>10}")
    for family in FAMILIES:
        sums: list[dict[str, float]] = [defaultdict(float) for _ in range(rounds)]
        names = [kind for kind in kinds if family == FAMILIES[0] or kind in ORIGINALS]
        for name in names:
            compare(before, name, images[:1], family, 0)  # compiles, or reads, the loops
            found = [compare(before, name, images, family, seed) for seed in range(rounds)]
            print(ratio_row(f"{name} ({family})", found))
            if name in BENCHMARK:
                for total, part in zip(sums, found, strict=True):
                    for key, value in part.items():
                        total[key] += value
        if count := len(set(names) & set(BENCHMARK)):
            print(ratio_row(f"sum of {count} ({family})", sums))
    before.close()


def ratio_row(name: str, rounds: list[dict[str, float]]) -> str:
    """Return a line of the table: median milliseconds, and the median of the rounds' ratios."""
    ratios = [found["ours"] / found["theirs"] for found in rounds]
    ours, theirs = (float(np.median([found[of] for found in rounds])) for of in ("ours", "theirs"))
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    differing = sum(found["differing"] for found in rounds)
    return f"{name:<34}{theirs:>11.3f}{ours:>10.3f}{np.median(ratios):>12.2f}{spread:>20}{differing:>10.0f}"


def measure(name: str, images: list[Image], seed: int) -> dict[str, float]:
    """Return the mean milliseconds per image of both, and the number of values that differ."""
    found: dict[str, float] = defaultdict(float)
    for image in images:
        for severity in SEVERITIES:
            ours, made = timed(corrupt, image, name, severity, seed)
            theirs, expected = timed(reference_corrupt, image, name, severity, seed)
            found["ours"] += 1e3 * ours / len(images) / len(SEVERITIES)
            found["theirs"] += 1e3 * theirs / len(images) / len(SEVERITIES)
            found["differing"] += np.count_nonzero(made != expected)
    return found


def first_calls(kinds: list[str]) -> None:
    """Print the time of the first images with an empty and with a filled cache of compiled loops."""
    print(f"\n{'seconds of a first image':<26}{'empty cache':>12}{'filled cache':>14}")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        empty, filled = (
            json.loads(
                subprocess.run(  # noqa: S603 - this interpreter and the text above
                    [sys.executable, "-c", FIRST_CALLS, *kinds],
                    env=environment,
                    capture_output=True,
                    check=True,
                ).stdout
            )
            for _ in range(2)
        )
        size = sum(
            os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(folder) for name in names
        )
    for name in [*kinds, "all"]:
        label = "all, with imports" if name == "all" else name
        print(f"{label:<26}{empty[name]:>12.2f}{filled[name]:>14.3f}")
    print(f"compiled loops on disk: {size / 2**20:.1f} MiB")


def row(name: str, rounds: list[dict[str, float]]) -> str:
    """Return a line of the table: median milliseconds, and the geometric mean of the rounds' factors."""
    factors = [found["theirs"] / found["ours"] for found in rounds]
    mean = math.exp(sum(map(math.log, factors)) / len(factors))
    ours, theirs = (float(np.median([found[of] for found in rounds])) for of in ("ours", "theirs"))
    spread = f"{min(factors):.2f} to {max(factors):.2f}"
    return f"{name:<20}{theirs:>11.2f}{ours:>10.3f}{mean:>10.2f}x{spread:>20}{rounds[0]['differing']:>10.0f}"


def pin() -> str:
    """Pin this process to one core where the system allows it, and return a description."""
    cv2.setNumThreads(1)
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"pinned to core {core}"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--images", type=int, default=3, choices=range(1, len(PHOTOS) + 1))
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--before", metavar="CHECKOUT")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        pin()
        serve(photographs(args.images))
        return
    print(f"numpy {np.__version__}, OpenCV {cv2.__version__}, {pin()}, {SIDE} px, {args.images} images")
    images = photographs(args.images)
    if args.before:
        compare_all(args.before, args.kinds, images, args.rounds)
        return
    for name in args.kinds:
        corrupt(images[0], name, 1, rng=RandomState(0))
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for seed in range(args.rounds):
        for name in args.kinds:
            found[name].append(measure(name, images, seed))
    print(
        f"{'kind':<20}{'package, ms':>11}{'ours, ms':>10}{'factor':>11}{'of the rounds':>20}{'differing':>10}"
    )
    for name in args.kinds:
        print(row(name, found[name]))
    if set(BENCHMARK) <= set(args.kinds):
        keys = ("ours", "theirs", "differing")
        sums = [
            {key: sum(found[name][at][key] for name in BENCHMARK) for key in keys}
            for at in range(args.rounds)
        ]
        print(row("sum of the 15", sums))
    if args.compile:
        first_calls(args.kinds)


if __name__ == "__main__":
    main()
