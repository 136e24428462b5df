"""False alarms and power of the gate.

    python benchmarks/gate_power.py --collect samples.npz [--processes 10]   # real timings, half an hour
    python benchmarks/gate_power.py samples.npz [--tries 200]                # resampled nights, minutes

Timings: pairs of candidate and control are measured in many fresh processes. A night takes as many processes
as the suite's jobs use per measurement, for the baseline, for tonight and for the second measurement of a
suspect. Of each process it uses the first pairs, resampled in blocks, so that it contains both the
differences between processes and the drift within one. A slowdown is simulated by multiplying the candidate's
times for one mixer. The gate's own code judges, with the rules of suites/nightly.yaml over all rows of a
night.

Accuracy: 10,000 images, some of which are turned wrong; retrained models with the spread of real seeds.
"""

from __future__ import annotations

import argparse
import gc
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lsbench.gate.judge import Judgement, judge
from lsbench.gate.measurement import GateRow, Images, Measurement, Pairs, RowKey
from lsbench.gate.recheck import with_second
from lsbench.gate.verdict import Finding
from lsbench.jobs.profile import ProfileSpec
from lsbench.stats.paired import holm
from lsbench.stats.shifts import Spread
from lsbench.store.right_images import RightImages
from lsbench.suite.loader import load_suite

MIXERS = ("ls_conv", "without_ska", "involution", "rep_mixer")
CONTROL = "large_small_static"
BATCHES = {"latency_ratio": 1, "throughput_ratio": 32}
SUITE = load_suite("nightly")
RULES = {rule.metric: rule for rule in SUITE.gate}
[SPEC] = [ProfileSpec.model_validate(job.spec) for job in SUITE.jobs if job.kind == "profile"]
TIMINGS = [RULES[metric] for metric in BATCHES]
EFFECTS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10)
BLOCK = 16
SLOW = "slow"

Samples = dict[str, list[np.ndarray]]


def collect(path: Path, processes: int, seconds: float) -> None:
    """Measure pairs of every mixer in fresh processes, in turns, and again with two threads on one CPU."""
    found: dict[str, np.ndarray] = {}
    for number in range(processes):
        for metric in BATCHES:
            for mixer in MIXERS:
                found[f"{metric}/{mixer}/{number}"] = pairs_of(mixer, metric, seconds, threads=1)
        print(f"process {number + 1} of {processes}", flush=True)
        np.savez_compressed(path, **found)
    cpus = os.sched_getaffinity(0)
    for number in range(max(2, processes // 3)):
        for metric in BATCHES:
            found[f"{metric}/{SLOW}-before/{number}"] = pairs_of(MIXERS[0], metric, seconds, threads=2)
            os.sched_setaffinity(0, {min(cpus)})  # two threads on one CPU
            found[f"{metric}/{SLOW}-after/{number}"] = pairs_of(MIXERS[0], metric, seconds, threads=2)
            os.sched_setaffinity(0, cpus)
    np.savez_compressed(path, **found)


def pairs_of(mixer: str, metric: str, seconds: float, *, threads: int) -> np.ndarray:
    """Return seconds of candidate and control, and 1 where they were disturbed, shape ``(3, n)``."""
    from lsbench.timing.launch import run_apart
    from lsbench.timing.request import Budget, Request, Setting, TimedModel

    reply = run_apart(
        Request(
            subject=TimedModel(model="lsnet_nano", mixer=mixer),
            control=TimedModel(model="lsnet_nano", mixer=CONTROL),
            seed=0,
            num_classes=10,
            img_size=32,
            batch_size=BATCHES[metric],
            device="cpu",
            setting=Setting(channels_last=True, threads=threads),
            budget=Budget(target_noise=0.004, min_s=seconds / 2, max_s=seconds, min_samples=60),
        )
    )
    return np.array([reply.seconds, reply.control_seconds, np.array(reply.is_disturbed, dtype=float)])


def read(path: Path, *, with_disturbed: bool) -> Samples:
    """Return the undisturbed pairs of each process with enough of them, by metric and mixer."""
    found: Samples = {}
    with np.load(path) as file:
        for name in file:
            candidate, control, is_disturbed = file[name]
            clean = np.stack([candidate, control])[:, (is_disturbed == 0) | with_disturbed]
            if clean.shape[1] >= 2 * BLOCK:
                found.setdefault(name.rpartition("/")[0], []).append(clean)
    return found


def resample(pairs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an equal number of pairs, drawn in blocks of consecutive ones."""
    size = pairs.shape[1]
    starts = rng.integers(0, size, -(-size // BLOCK))
    return pairs[:, (starts[:, None] + np.arange(BLOCK)).ravel()[:size] % size]


def timing_row(mixer: str, metric: str, pairs: np.ndarray, effect: float = 0.0) -> GateRow:
    """Return a row of the gate whose candidate is slowed down by `effect`."""
    packed = Pairs.pack(pairs[0] * (1 + effect), pairs[1])
    value = float(np.median(packed.ratios() if metric == "latency_ratio" else 1 / packed.ratios()))
    where = {"job_id": mixer, "machine": "this one", "code": None, "commit": None}
    measurement = Measurement(seed=None, value=value, pairs=packed, **where)
    return GateRow(key=RowKey(mixer, metric, "b", None), title=mixer, measurements=(measurement,))


def shortened(pairs: np.ndarray, parts: int) -> np.ndarray:
    """Return the first of `parts` equal shares of a process's pairs."""
    return pairs[:, : max(BLOCK, pairs.shape[1] // parts)]


def night(
    samples: Samples, slow: str | None, effect: float, rng: np.random.Generator, *, parts: int
) -> list[Finding]:
    """Return the findings of one night in which the mixer `slow` is slower by `effect`."""
    sides: list[list[GateRow]] = [[], [], []]
    for name, processes in samples.items():
        metric, mixer = name.split("/")
        order = np.resize(rng.permutation(len(processes)), (3, parts))
        for number, (side, chosen) in enumerate(zip(sides, order, strict=True)):
            planted = effect if number and mixer == slow else 0.0
            pairs = [resample(shortened(processes[one], parts), rng) for one in chosen]
            side.append(timing_row(mixer, metric, np.concatenate(pairs, axis=1), planted))
    before, first, again = sides
    found = judge(before, first, TIMINGS)
    suspects = Judgement("", "", "", tuple(found)).suspects
    keys = {finding.compared.key for finding in suspects}
    second = [old if old.key not in keys else new for old, new in zip(first, again, strict=True)]
    return with_second(found, judge(before, second, TIMINGS), suspects, measured=keys)


def show_timings(samples: Samples, tries: int, parts: int) -> None:
    """Print false alarms and power."""
    own = {name: processes for name, processes in samples.items() if SLOW not in name and len(processes) > 1}
    if not own:
        print("\nTimings: fewer than two processes have enough undisturbed pairs; no result.")
        return
    rng = np.random.default_rng(0)
    print(f"\nTimings, {len(own)} rows per night, {parts} processes each, {tries} nights; measured samples:")
    for name, processes in own.items():
        ratios = [float(np.median(pairs[0] / pairs[1])) for pairs in processes]
        spread = np.std(np.log(ratios), ddof=1)
        pairs = np.mean([p.shape[1] for p in processes])
        print(f"  {name:32s} {len(processes)} processes, {pairs:.0f} pairs, ratio scatters by {spread:.2%}")
    calm = [night(own, None, 0.0, rng, parts=parts) for _ in range(tries)]
    alarms = sum(any(f.verdict == "regressed" for f in found) for found in calm)
    doubts = sum(any(f.verdict == "inconclusive" for f in found) for found in calm)
    print(f"unchanged code: {alarms} of {tries} nights with a false alarm, {doubts} with an inconclusive row")
    print("\nslowdown | caught | inconclusive | ok | reported (median; middle 90 %)")
    for effect in EFFECTS:
        verdicts, reported = Counter[str](), []
        for number in range(tries):
            slow = MIXERS[number % len(MIXERS)]
            rows = [f for f in night(own, slow, effect, rng, parts=parts) if f.compared.key.variant == slow]
            worst = min(rows, key=lambda f: ["regressed", "inconclusive", "ok", "improved"].index(f.verdict))
            verdicts[worst.verdict] += 1
            reported += [f.compared.evidence.worsening for f in rows if f.compared.evidence]
        low, middle, high = np.quantile(reported, [0.05, 0.5, 0.95])
        shares = [verdicts["regressed"], verdicts["inconclusive"], verdicts["ok"] + verdicts["improved"]]
        told = " | ".join(f"{share / tries:6.1%}" for share in shares)
        print(f"{effect:6.0%} | {told} | {middle:+.1%} ({low:+.1%} to {high:+.1%})")


def show_slow_machine(samples: Samples, tries: int) -> None:
    """Print the gate's verdicts on one CPU for two threads, and on a machine with half the clock rate."""
    rng = np.random.default_rng(1)
    kinds: dict[str, Iterator[tuple[GateRow, GateRow]]] = {
        "two threads on one CPU (measured)": _cut_nights(samples, tries, rng),
        "all times doubled": _doubled_nights(samples, tries, rng),
    }
    print("\nA slower machine: verdicts of unchanged code")
    for kind, nights in kinds.items():
        verdicts, drifts = Counter[str](), []
        for before, after in nights:
            verdicts[judge([before], [after], TIMINGS)[0].verdict] += 1
            drifts.append(_control(after) / _control(before))
        drift = f"control {np.median(drifts):.2f} times as slow" if drifts else "nothing measured"
        print(f"  {kind}: {drift}: {dict(verdicts)}")


def _control(row: GateRow) -> float:
    pairs = row.measurements[0].pairs
    return np.nan if pairs is None else pairs.control_s()


def _cut_nights(samples: Samples, tries: int, rng: np.random.Generator) -> Iterator[tuple[GateRow, GateRow]]:
    for metric in BATCHES:
        before, after = (samples.get(f"{metric}/{SLOW}-{side}", []) for side in ("before", "after"))
        for _ in range(tries if before and after else 0):
            sides = [resample(processes[rng.integers(len(processes))], rng) for processes in (before, after)]
            yield timing_row("a", metric, sides[0]), timing_row("a", metric, sides[1])


def _doubled_nights(
    samples: Samples, tries: int, rng: np.random.Generator
) -> Iterator[tuple[GateRow, GateRow]]:
    own = {name: processes for name, processes in samples.items() if SLOW not in name and len(processes) > 1}
    for number in range(tries if own else 0):
        name = list(own)[number % len(own)]
        one, two = rng.choice(len(own[name]), 2, replace=False)
        metric, mixer = name.split("/")
        before, after = (resample(own[name][process], rng) for process in (one, two))
        yield timing_row(mixer, metric, before), timing_row(mixer, metric, 2 * after)


def image_row(right: np.ndarray, weights: str = "w") -> GateRow:
    """Return a row of one model's per-image results."""
    where = {"job_id": "e", "machine": "this one", "code": None, "commit": None}
    images = Images.pack(RightImages.pack(right, "images"))
    one = Measurement(seed=0, value=float(right.mean()), images=images, weights=weights, **where)
    return GateRow(key=RowKey("a", "top1", "test", "fashion"), title="a", measurements=(one,))


def show_images(tries: int) -> None:
    """Print how often lost images are caught, with and without others that change either way."""
    rng = np.random.default_rng(2)
    print(f"\nAccuracy, same weights: 10,000 images, 70 % right, {tries} tries; share caught")
    print("lost images | no other change | 100 others changed either way")
    for lost in (0, 10, 25, 50, 60, 75, 100, 150):
        told = [f"{np.mean([_is_caught(lost, churn, rng) for _ in range(tries)]):7.1%}" for churn in (0, 100)]
        print(f"{lost:11d} | {told[0]:>15s} | {told[1]}")


def _is_caught(lost: int, churn: int, rng: np.random.Generator) -> bool:
    was = rng.random(10_000) < 0.7
    now = was.copy()
    now[rng.choice(np.flatnonzero(was), lost, replace=False)] = False
    flipped = rng.choice(10_000, churn, replace=False)
    now[flipped] = rng.random(churn) < 0.5
    was[flipped] = rng.random(churn) < 0.5
    [found] = judge([image_row(was)], [image_row(now)], [RULES["top1"]])
    return found.verdict == "regressed"


def show_seeds(deviations: Sequence[float], rows: int = len(MIXERS)) -> None:
    """Print the power for retrained models, computed from the spread of seeds."""
    rule = RULES["top1"]
    print(f"\nAccuracy, retrained: power over seeds on both sides, {rows} rows, alpha {rule.alpha}")
    print("spread of a seed | seeds | loss of 0.5 | 1 | 2 | 3 | 5 points | detected in 80 %")
    for deviation in deviations:
        for seeds in (2, 3, 5, 10):
            spread = Spread(deviation, 2 * rows * (seeds - 1))
            settings = {"alpha": rule.alpha / rows, "min_effect": rule.min_effect}
            power = [spread.power(e, seeds, seeds, **settings) for e in (0.005, 0.01, 0.02, 0.03, 0.05)]
            smallest = spread.detectable(seeds, power=0.8, **settings)
            told = " | ".join(f"{share:4.0%}" for share in power)
            print(f"{100 * deviation:10.2f} points | {seeds:5d} | {told} | {100 * smallest:.1f} points")


def main() -> None:
    """Parse the command line and print the curves."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("samples", type=Path, nargs="?", help="file written by --collect")
    parser.add_argument("--collect", type=Path, metavar="FILE", help="measure, and write samples to FILE")
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=12, help="most seconds of each process")
    parser.add_argument("--with-disturbed", action="store_true", help="include disturbed samples")
    parser.add_argument("--parts", type=int, default=SPEC.processes, help="processes of each measurement")
    parser.add_argument("--tries", type=int, default=200)
    parser.add_argument(
        "--scatter", type=float, nargs="*", default=[0.003, 0.01], help="deviations of top-1 over seeds"
    )
    asked = parser.parse_args()
    if asked.collect is not None:
        collect(asked.collect, asked.processes, asked.seconds)
        return
    if asked.samples is not None:
        holm([0.5])
        gc.freeze()  # statsmodels, now loaded, collects garbage at each correction
        samples = read(asked.samples, with_disturbed=asked.with_disturbed)
        show_timings(samples, asked.tries, asked.parts)
        show_slow_machine(samples, asked.tries)
    show_images(asked.tries)
    show_seeds(asked.scatter)


if __name__ == "__main__":
    main()
