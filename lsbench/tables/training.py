"""Learning curves for reports: one row per variant, and notes on slow data loading and divergence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from lsbench.tables.curves import Curve

#: Metrics whose curves are shown, in this order.
SHOWN = ("val_top1", "ema_val_top1", "train_loss")
WAITING = "data_wait_frac"
#: A device that waits for data during a larger share of the time gets a note.
MOST_WAITING = 0.1


@dataclass(frozen=True)
class TrainingRow:
    """The trainings of one variant under one protocol.

    Attributes:
        title: Title of the variant, with the protocol where it was trained under several.
        seeds: Number of trainings.
        curves: Metric -> mean curve over the seeds.
        waiting: Share of time that the device waited for data, averaged over epochs and seeds; None if not
            measured.
    """

    title: str
    seeds: int
    curves: dict[str, Curve]
    waiting: float | None


def training_rows(curves: Sequence[Curve]) -> list[TrainingRow]:
    """Return one row per variant and protocol, if it has several epochs of a shown metric."""
    found: dict[tuple[str, str], list[Curve]] = {}
    for curve in curves:
        found.setdefault((curve.variant, curve.protocol), []).append(curve)
    protocols = [variant for variant, _ in found]
    rows = []
    for (variant, protocol), own in found.items():
        means = {metric: mean for metric in SHOWN if (mean := _mean(own, metric))}
        if all(len(mean.epochs) < 2 for mean in means.values()):
            continue
        title = f"{own[0].title} [{protocol}]" if protocols.count(variant) > 1 else own[0].title
        shares = [value for curve in own if curve.metric == WAITING for value in curve.values]
        seeds = len({curve.seed for curve in own})
        rows.append(TrainingRow(title, seeds, means, fmean(shares) if shares else None))
    return rows


def _mean(curves: Sequence[Curve], metric: str) -> Curve | None:
    """Return the mean over the seeds, on their common epochs."""
    own = [curve for curve in curves if curve.metric == metric]
    if not own:
        return None
    values = [dict(zip(curve.epochs, curve.values, strict=True)) for curve in own]
    shared = sorted(set.intersection(*(set(of_seed) for of_seed in values)))
    means = tuple(fmean(of_seed[epoch] for of_seed in values) for epoch in shared)
    return replace(own[0], seed=None, epochs=tuple(shared), values=means) if shared else None


def training_notes(curves: Sequence[Curve]) -> list[str]:
    """Return notes on devices that waited for data, and on learning rates lowered after a divergence."""
    notes = []
    waiting: dict[str, list[Curve]] = {}
    lowered: dict[tuple[str, int | None], float] = {}
    for curve in curves:
        if curve.metric == WAITING:
            waiting.setdefault(curve.title, []).append(curve)
        if curve.lr_scale < 1:
            key = curve.title, curve.seed
            lowered[key] = min(curve.lr_scale, lowered.get(key, 1.0))
    for title, own in waiting.items():
        share = fmean(value for curve in own for value in curve.values)
        if share > MOST_WAITING:
            worst, epoch = max(pair for curve in own for pair in zip(curve.values, curve.epochs, strict=True))
            notes.append(
                f"{title}: the device waited for data {100 * share:.0f} % of the time, {100 * worst:.0f} % "
                f"in epoch {epoch}; raise data_workers, which does not change results."
            )
    for (title, seed), scale in lowered.items():
        which = title if seed is None else f"{title}, seed {seed}"
        notes.append(
            f"{which}: the loss diverged; training continued from the last good checkpoint, at {scale:g} "
            "times the recipe's learning rate."
        )
    return notes
