"""What a reader wants to see of how trainings went: one row per variant, and what went not so well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from lsbench.tables.curves import Curve

#: Metrics whose curves are shown, in this order.
SHOWN = ("val_top1", "ema_val_top1", "train_loss")
WAITING = "data_wait_frac"
#: A loader that keeps the device waiting for a larger share of the time is worth a note.
MOST_WAITING = 0.1


@dataclass(frozen=True)
class TrainingRow:
    """How the trainings of one variant went under one protocol.

    Attributes:
        title: What reports call it; with the protocol where the variant was trained in several ways.
        seeds: Number of trainings.
        curves: Metric -> its mean over the seeds.
        waiting: Share of the time that the device waited for data, mean over epochs and seeds; None where
            it was not measured.
    """

    title: str
    seeds: int
    curves: dict[str, Curve]
    waiting: float | None


def training_rows(curves: Sequence[Curve]) -> list[TrainingRow]:
    """Return one row per variant and protocol that has more than one epoch of a shown metric."""
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
    """Return the mean over the seeds, of those epochs that all of them have."""
    own = [curve for curve in curves if curve.metric == metric]
    if not own:
        return None
    values = [dict(zip(curve.epochs, curve.values, strict=True)) for curve in own]
    shared = sorted(set.intersection(*(set(of_seed) for of_seed in values)))
    means = tuple(fmean(of_seed[epoch] for of_seed in values) for epoch in shared)
    return replace(own[0], seed=None, epochs=tuple(shared), values=means) if shared else None


def training_notes(curves: Sequence[Curve]) -> list[str]:
    """Return what a reader must know: loaders that starved their device, and lowered learning rates."""
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
                f"in epoch {epoch}: give it more data_workers, which change no result."
            )
    for (title, seed), scale in lowered.items():
        which = title if seed is None else f"{title}, seed {seed}"
        notes.append(
            f"{which}: the loss diverged; from the last good checkpoint on it was trained at {scale:g} of "
            "the recipe's learning rate."
        )
    return notes
