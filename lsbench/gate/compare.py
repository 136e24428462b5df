"""Put the two sides of a row beside each other: by pairs of images, samples, seeds, or exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lsbench.core.quantity import quantity
from lsbench.gate.measurement import GateRow, Images, Measurement, Pairs, RowKey
from lsbench.stats.paired import count_discordant
from lsbench.stats.shifts import (
    Evidence,
    compare_images,
    compare_seeds,
    compare_timings,
    pool_spread,
)
from lsbench.suite.gate import GateRule

#: A control this many times as fast or slow as at the time of the baseline: the machine is another one.
MOST_DRIFT = 1.25
POWER = 0.8


@dataclass(frozen=True)
class RowChange:
    """A row, its two sides, and the evidence of a change.

    Attributes:
        before: The baseline's number, the mean over its seeds.
        after: The number now.
        evidence: None where nothing could be compared.
        test: How it was compared.
        detail: What else people should know.
        barrier: Why nothing can be said, if so.
        excuse: Why a change is no proof against the code, if so.
    """

    key: RowKey
    title: str
    rule: GateRule
    before: float | None = None
    after: float | None = None
    evidence: Evidence | None = None
    test: str = ""
    detail: str = ""
    barrier: str | None = None
    excuse: str | None = None

    @property
    def is_blind(self) -> bool:
        """Whether a timing is known so badly that a loss that matters could hide in it."""
        found = self.evidence
        if not self.rule.is_timing or found is None or found.low is None or found.high is None:
            return False
        return (found.high - found.low) / 2 > self.rule.min_effect

    @property
    def change(self) -> str:
        """By how much the number changed, for people: relative for timings."""
        if self.evidence is None:
            return "-"
        if self.rule.is_timing:
            return f"{100 * self.evidence.worsening:+.1f} % time"
        sign = 1 if self.rule.direction == "lower" else -1
        shown = quantity(self.key.metric)
        return f"{sign * self.evidence.worsening * shown.scale + 0.0:+.{shown.digits}f}"


def compare_rows(rule: GateRule, matched: Sequence[tuple[GateRow, GateRow]]) -> list[RowChange]:
    """Return the comparison of each pair (baseline, now) of rows of one rule."""
    found = []
    for before, after in matched:
        empty = RowChange(before.key, after.title, rule, before.mean, after.mean)
        barrier = _barrier(before, after)
        if barrier is not None:
            found.append(replace(empty, barrier=barrier))
        elif rule.is_exact:
            found.append(_by_value(empty, before, after, "exact"))
        elif rule.is_timing:
            found.append(_by_pairs(empty, before, after))
        elif _has_same_weights(before, after) or before.values() == after.values():
            found.append(_by_images(empty, before, after))
        else:
            found.append(_by_seeds(empty, before, after, matched))
    return found


def _barrier(before: GateRow, after: GateRow) -> str | None:
    """Return what stands in the way of any comparison."""
    for side, row in (("the baseline", before), ("now", after)):
        for one in row.measurements:
            if one.value is None:
                return f"{side}: {one.reason}"
    seeds = [[one.seed for one in row.measurements] for row in (before, after)]
    if seeds[0] != seeds[1]:
        return f"seeds {seeds[0]} in the baseline, {seeds[1]} now"
    return None


def _sides(before: GateRow, after: GateRow) -> list[tuple[Measurement, Measurement]]:
    return list(zip(before.measurements, after.measurements, strict=True))


def _has_same_weights(before: GateRow, after: GateRow) -> bool:
    return all(one.weights is not None and one.weights == two.weights for one, two in _sides(before, after))


def _by_value(empty: RowChange, before: GateRow, after: GateRow, test: str) -> RowChange:
    """Compare numbers that come out the same whenever they are measured: any difference is a change."""
    rule, sides = empty.rule, zip(before.values(), after.values(), strict=True)
    worsenings = [rule.worsening(old, new) for old, new in sides]
    worse = max(worsenings, key=abs) if rule.is_exact else float(np.mean(worsenings))
    evidence = Evidence(worse, worse, worse, float(worse <= 0), float(worse >= 0))
    detail = "equal" if worse == 0 else "differs"
    return replace(empty, evidence=evidence, test=test, detail=detail)


def _by_pairs(empty: RowChange, before: GateRow, after: GateRow) -> RowChange:
    """Compare the ratios to the control that was timed in turns."""
    [(old, new)] = _sides(before, after)
    if old.pairs is None or new.pairs is None:
        side = "the baseline holds" if old.pairs is None else "the results hold"
        return replace(empty, barrier=f"{side} no samples of pairs")
    evidence = compare_timings(old.pairs.ratios(), new.pairs.ratios(), alpha=empty.rule.alpha)
    if evidence is None:
        counts = f"{old.pairs.count} in the baseline, {new.pairs.count} now"
        return replace(empty, barrier=f"too few undisturbed pairs: {counts}")
    drift = new.pairs.control_s() / old.pairs.control_s()
    return replace(
        empty,
        evidence=evidence,
        test=f"Mann-Whitney, {old.pairs.count} and {new.pairs.count} pairs",
        detail=f"the control took {drift:.2f} times as long as in the baseline",
        excuse=_other_machine(before, after, old.pairs, new.pairs),
    )


def _other_machine(before: GateRow, after: GateRow, old: Pairs, new: Pairs) -> str | None:
    """Return in which way the machine is not the baseline's: there even ratios are others."""
    if before.machines != after.machines:
        return f"timed on {_listed(after.machines)}, the baseline on {_listed(before.machines)}"
    drift = new.control_s() / old.control_s()
    if not 1 / MOST_DRIFT <= drift <= MOST_DRIFT:
        return f"the machine is not as fast as it was: its control takes {drift:.2f} times as long"
    return None


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _by_images(empty: RowChange, before: GateRow, after: GateRow) -> RowChange:
    """Compare the same models on the same images, image by image."""
    lost = gained = images = 0
    for old, new in _sides(before, after):
        if old.images is None or new.images is None:
            return _by_value(empty, before, after, "value")
        if (old.images.sha256, old.images.count) != (new.images.sha256, new.images.count):
            return replace(empty, barrier=_other_images(old.images, new.images))
        was, is_now = old.images.right(), new.images.right()
        more_lost, more_gained = count_discordant(was, is_now)
        lost, gained = lost + more_lost, gained + more_gained
        images += len(was)
    evidence = compare_images(lost, gained, images, alpha=empty.rule.alpha)
    if empty.rule.direction == "lower":
        evidence = evidence.mirrored()
    detail = (
        f"{lost} lost and {gained} gained of {images}" if lost or gained else f"all {images} images alike"
    )
    return replace(empty, evidence=evidence, test="exact McNemar", detail=detail)


def _other_images(old: Images, new: Images) -> str:
    if old.count != new.count:
        return f"{old.count} images in the baseline, {new.count} now"
    return f"other images than in the baseline, {new.count} on both sides"


def _by_seeds(
    empty: RowChange, before: GateRow, after: GateRow, matched: Sequence[tuple[GateRow, GateRow]]
) -> RowChange:
    """Compare models that were trained anew: their seeds are the samples."""
    rule, seeds = empty.rule, len(before.measurements)
    sign = 1 if rule.direction == "lower" else -1
    losses = [[sign * value for value in row.values()] for row in (before, after)]
    alike = [pair for pair in matched if pair[0].key[1:] == before.key[1:] and _barrier(*pair) is None]
    spread = pool_spread([row.values() for pair in alike for row in _trained_apart(*pair)])
    if spread is None:
        worse = float(np.mean(losses[1]) - np.mean(losses[0]))
        detail = "trained anew with one seed, whose luck nobody knows: give the suite more seeds"
        return replace(empty, evidence=Evidence(worse, None, None, 1.0, 1.0), test="none", detail=detail)
    evidence = compare_seeds(losses[0], losses[1], spread, alpha=rule.alpha)
    share = rule.alpha / len(alike)
    smallest = spread.detectable(seeds, alpha=share, min_effect=rule.min_effect, power=POWER)
    shown = quantity(rule.metric)
    detail = (
        f"trained anew: with {seeds} seeds a loss of {smallest * shown.scale:.{shown.digits}f} is found in "
        f"{POWER:.0%} of all cases"
    )
    return replace(empty, evidence=evidence, test=f"t test over {seeds} seeds", detail=detail)


def _trained_apart(before: GateRow, after: GateRow) -> list[GateRow]:
    return [before] if _has_same_weights(before, after) else [before, after]
