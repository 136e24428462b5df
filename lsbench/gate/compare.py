"""Compare the two sides of a row: by paired images, timing samples, seeds, or exact values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lsbench.core.counted import counted
from lsbench.core.quantity import quantity
from lsbench.gate.measurement import GateRow, Images, Measurement, Pairs, Resamples, RowKey
from lsbench.stats.paired import count_discordant
from lsbench.stats.shifts import (
    Evidence,
    compare_images,
    compare_resamples,
    compare_seeds,
    compare_timings,
    pool_spread,
)
from lsbench.suite.gate import GateRule

#: A control that is this many times faster or slower than in the baseline: treated as another machine.
MOST_DRIFT = 1.25
POWER = 0.8


@dataclass(frozen=True)
class RowChange:
    """A row, its two sides, and the evidence of a change.

    Attributes:
        before: The baseline's value, averaged over its seeds.
        after: The current value, averaged over its seeds.
        evidence: None if nothing could be compared.
        test: The test that was used.
        detail: Further remarks for the reader.
        barrier: Why the two sides cannot be compared; None if they can.
        excuse: Why a change may not be due to the code; None if there is no such reason.
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
        """True for a timing whose interval is so wide that a loss that matters could hide in it."""
        found = self.evidence
        if not self.rule.is_timing or found is None or found.low is None or found.high is None:
            return False
        return (found.high - found.low) / 2 > self.rule.min_effect

    @property
    def change(self) -> str:
        """The change as text: relative for timings, absolute for all others."""
        if self.evidence is None:
            return "-"
        if self.rule.is_timing:
            return f"{100 * self.evidence.worsening:+.1f} % time"
        sign = 1 if self.rule.direction == "lower" else -1
        shown = quantity(self.key.metric)
        return f"{sign * self.evidence.worsening * shown.scale + 0.0:+.{shown.digits}f}"


def compare_rows(rule: GateRule, matched: Sequence[tuple[GateRow, GateRow]]) -> list[RowChange]:
    """Return the comparison of each pair (baseline, now) of one rule's rows."""
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
    """Return why the two rows cannot be compared, or None if they can."""
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
    """Compare deterministic numbers: any difference is a change."""
    rule, sides = empty.rule, zip(before.values(), after.values(), strict=True)
    worsenings = [rule.worsening(old, new) for old, new in sides]
    worse = max(worsenings, key=abs) if rule.is_exact else float(np.mean(worsenings))
    evidence = Evidence(worse, worse, worse, float(worse <= 0), float(worse >= 0))
    detail = "equal" if worse == 0 else "differs"
    return replace(empty, evidence=evidence, test=test, detail=detail)


def _by_pairs(empty: RowChange, before: GateRow, after: GateRow) -> RowChange:
    """Compare the ratios to the control, which was timed in turns with the candidate."""
    [(old, new)] = _sides(before, after)
    if old.pairs is None or new.pairs is None:
        side = "the baseline has" if old.pairs is None else "the results have"
        return replace(empty, barrier=f"{side} no paired samples")
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
    """Return how the machine differs from the baseline's, or None: on another one even ratios change."""
    if before.machines != after.machines:
        return f"timed on {_listed(after.machines)}, the baseline on {_listed(before.machines)}"
    drift = new.control_s() / old.control_s()
    if not 1 / MOST_DRIFT <= drift <= MOST_DRIFT:
        return f"the machine's speed has changed: the control takes {drift:.2f} times as long"
    return None


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _by_images(empty: RowChange, before: GateRow, after: GateRow) -> RowChange:
    """Compare the same models on the same images, image by image, or resample by resample."""
    if any(one.resamples is not None for row in (before, after) for one in row.measurements):
        return _by_resamples(empty, before, after)
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
        f"{lost} lost and {gained} gained of {counted(images, 'image')}"
        if lost or gained
        else f"none of {images} images changed"
    )
    return replace(empty, evidence=evidence, test="exact McNemar", detail=detail)


def _by_resamples(empty: RowChange, before: GateRow, after: GateRow) -> RowChange:
    """Compare numbers that are no means over images on the same resampled images."""
    resampled, images = [], 0
    for old, new in _sides(before, after):
        if old.resamples is None or new.resamples is None:
            return _by_value(empty, before, after, "value")
        was, is_now = old.resamples.unpack(), new.resamples.unpack()
        same = (old.resamples.sha256, len(was)) == (new.resamples.sha256, len(is_now))
        if not same or old.resamples.count != new.resamples.count:
            return replace(empty, barrier=_other_images(old.resamples, new.resamples))
        resampled.append(is_now - was)
        images = new.resamples.count
    sign = 1 if empty.rule.direction == "lower" else -1
    pairs = zip(before.values(), after.values(), strict=True)
    worsening = float(np.mean([empty.rule.worsening(old, new) for old, new in pairs]))
    evidence = compare_resamples(worsening, sign * np.mean(resampled, axis=0), alpha=empty.rule.alpha)
    detail = f"over {len(resampled[0])} choices of {counted(images, 'image')}"
    return replace(empty, evidence=evidence, test="paired bootstrap", detail=detail)


def _other_images(old: Images | Resamples, new: Images | Resamples) -> str:
    if old.count != new.count:
        return f"{counted(old.count, 'image')} in the baseline, {new.count} now"
    return f"not the same images as in the baseline ({new.count} on both sides)"


def _by_seeds(
    empty: RowChange, before: GateRow, after: GateRow, matched: Sequence[tuple[GateRow, GateRow]]
) -> RowChange:
    """Compare retrained models: their seeds are the samples."""
    rule, seeds = empty.rule, len(before.measurements)
    sign = 1 if rule.direction == "lower" else -1
    losses = [[sign * value for value in row.values()] for row in (before, after)]
    alike = [pair for pair in matched if pair[0].key[1:] == before.key[1:] and _barrier(*pair) is None]
    spread = pool_spread([row.values() for pair in alike for row in _trained_apart(*pair)])
    if spread is None:
        worse = float(np.mean(losses[1]) - np.mean(losses[0]))
        detail = "retrained with one seed, so the spread is unknown: give the suite more seeds"
        return replace(empty, evidence=Evidence(worse, None, None, 1.0, 1.0), test="none", detail=detail)
    evidence = compare_seeds(losses[0], losses[1], spread, alpha=rule.alpha)
    share = rule.alpha / len(alike)
    smallest = spread.detectable(seeds, alpha=share, min_effect=rule.min_effect, power=POWER)
    shown = quantity(rule.metric)
    loss = f"a loss of {smallest * shown.scale:.{shown.digits}f} is detected in {POWER:.0%} of cases"
    is_possible = not shown.is_share or smallest <= 1
    detail = f"retrained: with {seeds} seeds, {loss if is_possible else 'no loss can be detected; add seeds'}"
    return replace(empty, evidence=evidence, test=f"t test over {seeds} seeds", detail=detail)


def _trained_apart(before: GateRow, after: GateRow) -> list[GateRow]:
    return [before] if _has_same_weights(before, after) else [before, after]
