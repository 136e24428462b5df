"""Write the numbers of analyses as text: the same words in every format."""

from __future__ import annotations

from lsbench.core.quantity import quantity
from lsbench.tables.analyses import AnalysisFigure, in_order
from lsbench.tables.summary import Summary


def analyses_table(summary: Summary) -> tuple[list[str], list[list[str]], list[str]] | None:
    """Return header, rows and notes of the section on analyses.

    Returns:
        None where nothing has been analysed.
    """
    figures = summary.analyses
    metrics = in_order(figures)
    if not metrics:
        return None
    found: dict[str, dict[str, list[AnalysisFigure]]] = {}
    for figure in figures:
        found.setdefault(figure.title, {}).setdefault(figure.metric, []).append(figure)
    rows = [
        [title, *("; ".join(map(_cell, of_title.get(metric, []))) or "-" for metric in metrics)]
        for title, of_title in found.items()
    ]
    return ["analysis", *(quantity(metric).title for metric in metrics)], rows, _notes(figures)


def _cell(figure: AnalysisFigure) -> str:
    shown, estimate = quantity(figure.metric), figure.estimate
    if estimate is None:
        return "-"

    def text(value: float) -> str:
        return f"{value * shown.scale:.{shown.digits}f}"

    low, high = (estimate.low, estimate.high) if estimate.low is not None else (figure.ci_low, figure.ci_high)
    interval = "" if low is None or high is None else f" [{text(low)}, {text(high)}]"
    seeds = "" if estimate.n == figure.seeds else f" ({estimate.n} of {figure.seeds} seeds)"
    return f"{text(estimate.value)}{interval}{seeds}"


def _notes(figures: list[AnalysisFigure]) -> list[str]:
    seeds = max(figure.seeds for figure in figures)
    over = f"the mean over {seeds} seeds" if seeds > 1 else "the mean over the images"
    protocols = dict.fromkeys(figure.protocol for figure in figures if figure.estimate is not None)
    notes = [f"In brackets 95 % intervals of {over}. Protocols: {'; '.join(protocols)}."]
    missing: dict[str, dict[str, None]] = {}
    for figure in figures:
        if figure.estimate is None:
            missing.setdefault(figure.title, {})[figure.analysis] = None
    notes += [
        f"{title}: no {', '.join(names)}: the model has not what is looked at."
        for title, names in missing.items()
    ]
    return notes
