"""The numbers of analyses: one row per variant and metric, with mean and interval over the seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from lsbench.stats.seeds import Estimate, mean_over_seeds
from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.load import load_table

KIND = "analyze"


@dataclass(frozen=True)
class AnalysisFigure:
    """One number of an analysis of one variant.

    Attributes:
        variant: Name of the variant.
        title: Title of the variant in reports.
        metric: Name of the metric, in the unit of records.
        protocol: Protocol of the measurement.
        estimate: Mean over the seeds with a value; None if no seed has one.
        seeds: Number of analysed seeds.
        ci_low: Lower end of the interval over images, for a single seed; else None.
        ci_high: Its upper end.
        reason: Why there is no value; empty if there is one.
        analysis: Name of the analysis; the whole protocol if the record does not name it.
    """

    variant: str
    title: str
    metric: str
    protocol: str
    estimate: Estimate | None
    seeds: int
    ci_low: float | None = None
    ci_high: float | None = None
    reason: str = ""
    analysis: str = ""


def load_analyses(folders: Iterable[ResultsFolder]) -> pd.DataFrame:
    """Return the rows of the long table that hold numbers of analyses."""
    table = load_table(list(folders))
    return table[(table.kind == KIND) & table.metric.notna()]


def analysis_figures(table: pd.DataFrame) -> list[AnalysisFigure]:
    """Return each number once per variant and protocol, in the order of the table.

    Args:
        table: The long table of one results folder.
    """
    rows = table[(table.kind == KIND) & table.metric.notna()]
    keys = ["variant", "title", "metric", "protocol"]
    return [
        _figure((str(variant), str(title), str(metric), str(protocol)), own)
        for (variant, title, metric, protocol), own in rows.groupby(keys, sort=False)
    ]


def _figure(key: tuple[str, str, str, str], own: pd.DataFrame) -> AnalysisFigure:
    values = [float(value) for value in own.value.dropna()]
    low = high = None
    if len(own) == 1 and values and pd.notna(own.ci_low.iloc[0]):
        low, high = float(own.ci_low.iloc[0]), float(own.ci_high.iloc[0])
    reason = "" if values else "the model lacks the module that this analysis needs"
    estimate = mean_over_seeds(values) if values else None
    method = own.method.iloc[0]
    analysis = key[-1] if pd.isna(method) else str(method)
    return AnalysisFigure(*key, estimate, len(own), low, high, reason, analysis)


def in_order(figures: Sequence[AnalysisFigure]) -> list[str]:
    """Return the metrics that have a value for some variant, each once."""
    return list(dict.fromkeys(figure.metric for figure in figures if figure.estimate is not None))
