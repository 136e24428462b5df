"""The sections below a summary's table in human-readable reports, the same in every format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lsbench.core.interval_text import possible
from lsbench.core.quantity import Quantity, quantity
from lsbench.corruptions import in_order as corruptions_in_order
from lsbench.rendering.cells import heading
from lsbench.rendering.sentences import base, comparison_notes, p_text, sentence
from lsbench.rendering.sparkline import sparkline
from lsbench.tables import analyses
from lsbench.tables.analyses import AnalysisFigure
from lsbench.tables.curves import Curve
from lsbench.tables.nights import NightCurve
from lsbench.tables.panels import FIGURES
from lsbench.tables.robustness import (
    RobustnessRow,
    performance_rows,
    robustness_notes,
    robustness_rows,
)
from lsbench.tables.summary import Summary
from lsbench.tables.training import SHOWN, WAITING, TrainingRow, training_notes, training_rows

IN_WORDS = ("comparison", "p (Holm)", "based on")
OF_NIGHTS = ["metric", "variant", "nights", "last", "baseline", "verdict", "alarms"]
CORRUPTION_DIGITS = 1

#: Header, rows, and notes below them.
Section = tuple[list[str], list[list[str]], list[str]]


def sections(summary: Summary) -> Iterator[tuple[str, list[str], list[list[str]], list[str]]]:
    """Yield heading, header, rows and notes of each section with content."""
    for name, table in SECTIONS.items():
        found = table(summary)
        if found is not None:
            titles, rows, notes = found
            yield f"{heading(summary)}: {name}", titles, rows, notes if summary.has_notes else []


def _number(value: float | None, shown: Quantity) -> str:
    return "-" if value is None else f"{value * shown.scale:.{shown.digits}f}"


def comparison_table(summary: Summary) -> Section | None:
    """Return header, rows and notes of the section on differences to the baseline.

    Where several columns are compared, each row begins with the title of its own.

    Returns:
        None for a smoke test, under overrides, or if no variant can be compared.
    """
    if summary.is_smoke or "+" in summary.preset or not summary.comparisons:
        return None
    rows = [[sentence(one), p_text(one.p_adjusted), base(one)] for one in summary.comparisons]
    notes = comparison_notes(summary.comparisons)
    titles = {(c.quantity.name, c.dataset, c.protocol): c.title for c in summary.columns if c.is_delta}
    of = [titles.get((one.metric, one.dataset, one.protocol), one.protocol) for one in summary.comparisons]
    if len({*of}) == 1:
        return list(IN_WORDS), rows, notes
    return ["column", *IN_WORDS], [[title, *row] for title, row in zip(of, rows, strict=True)], notes


def robustness_table(summary: Summary) -> Section | None:
    """Return header, rows and notes of the section on corruptions.

    Returns:
        None if no job has tested on corrupted images.
    """
    rows = robustness_rows(summary.corruptions)
    if not rows:
        return None
    header, texts, legend = _by_corruption("error (%)", rows, lambda row: (row.title, "Mean top-1 error"))
    return header, texts, [*legend, *robustness_notes(summary.corruptions)]


def performance_table(summary: Summary) -> Section | None:
    """Return header, rows and notes of the section on detectors and segmenters under corruption.

    Returns:
        None if no job has tested them on corrupted images.
    """
    rows = performance_rows(summary.corruptions)

    def named(row: RobustnessRow) -> tuple[str, str]:
        what = quantity(row.metric).title.removesuffix(" (%)")
        return f"{row.title}: {what}", f"Mean {what}"

    return _by_corruption("under corruption (%)", rows, named) if rows else None


def _by_corruption(
    first: str, rows: Sequence[RobustnessRow], named: Callable[[RobustnessRow], tuple[str, str]]
) -> Section:
    """Return a section with a column for each corruption.

    Args:
        first: Title of the column of names.
        rows: The rows.
        named: Returns the name of a row, and the words for its numbers in notes.
    """
    names = corruptions_in_order(name for row in rows for name in row.means)
    header = [first, *(name.replace("_", " ") for name in names)]
    seeds = max(row.seeds for row in rows)
    over = "the severities" if seeds == 1 else f"the severities and {seeds} seeds"
    legend = dict.fromkeys(f"{named(row)[1]} over {over}: {row.protocol}." for row in rows)
    return header, [[named(row)[0], *(_mean(row, name) for name in names)] for row in rows], [*legend]


def _mean(row: RobustnessRow, name: str) -> str:
    if name not in row.means:
        return "-"
    found = row.means[name]
    if found is None:
        return "withheld"
    text = f"{found.value * quantity(row.metric).scale:.{CORRUPTION_DIGITS}f}"
    return text if found.n == row.seeds else f"{text} ({found.n} of {row.seeds} seeds)"


def analyses_table(summary: Summary) -> Section | None:
    """Return header, rows and notes of the section on analyses.

    Returns:
        None without analyses.
    """
    figures = summary.analyses
    metrics = analyses.in_order(figures)
    if not metrics:
        return None
    found: dict[str, dict[str, list[AnalysisFigure]]] = {}
    for figure in figures:
        found.setdefault(figure.title, {}).setdefault(figure.metric, []).append(figure)
    rows = [
        [title, *("; ".join(map(_figure, of_title.get(metric, []))) or "-" for metric in metrics)]
        for title, of_title in found.items()
    ]
    header = ["analysis", *(quantity(metric).title for metric in metrics)]
    return header, rows, [*_analysis_notes(figures), *_composed(summary)]


def _figure(figure: AnalysisFigure) -> str:
    shown, estimate = quantity(figure.metric), figure.estimate
    if estimate is None:
        return "-"

    def text(value: float) -> str:
        return f"{value * shown.scale:.{shown.digits}f}"

    low, high = (estimate.low, estimate.high) if estimate.low is not None else (figure.ci_low, figure.ci_high)
    interval = ""
    if low is not None and high is not None:
        interval = " [{}, {}]".format(*map(text, possible(shown, estimate.value, low, high)))
    seeds = "" if estimate.n == figure.seeds else f" ({estimate.n} of {figure.seeds} seeds)"
    return f"{text(estimate.value)}{interval}{seeds}"


def _analysis_notes(figures: list[AnalysisFigure]) -> list[str]:
    seeds = max(figure.seeds for figure in figures)
    over = f"the mean over {seeds} seeds" if seeds > 1 else "the mean over the images"
    protocols = dict.fromkeys(figure.protocol for figure in figures if figure.estimate is not None)
    notes = [f"In brackets: 95 % intervals of {over}. Protocols: {'; '.join(protocols)}."]
    missing: dict[str, dict[str, None]] = {}
    for figure in figures:
        if figure.estimate is None:
            missing.setdefault(figure.title, {})[figure.analysis] = None
    notes += [
        f"{title}: no {', '.join(names)}; the model lacks the module that this analysis needs."
        for title, names in missing.items()
    ]
    return notes


def _composed(summary: Summary) -> list[str]:
    """Return a note on figures of all variants side by side, if there are some in the results folder."""
    place = None if summary.folder is None else summary.folder.root / FIGURES
    names = sorted({path.stem for path in place.iterdir()}) if place is not None and place.is_dir() else []
    where = f"{FIGURES}/ of the results folder"
    return [f"Side by side, for a paper, in {where}: {', '.join(names)}."] if names else []


def training_table(summary: Summary) -> Section | None:
    """Return header, rows and notes of the section on trainings.

    Returns:
        None for a smoke test, or if no training has more than one epoch.
    """
    rows = [] if summary.is_smoke else training_rows(summary.curves)
    if not rows:
        return None
    metrics = [metric for metric in SHOWN if any(metric in row.curves for row in rows)]
    has_waiting = any(row.waiting is not None for row in rows)
    header = ["training", *(quantity(metric).title for metric in metrics)]
    header += [quantity(WAITING).title] if has_waiting else []
    return (
        header,
        [_training_row(row, metrics, has_waiting) for row in rows],
        [_curve_legend(rows), *training_notes(summary.curves)],
    )


def _training_row(row: TrainingRow, metrics: Sequence[str], has_waiting: bool) -> list[str]:
    cells = [curve_text(row.curves[metric]) if metric in row.curves else "-" for metric in metrics]
    shown = quantity(WAITING)
    return [row.title, *cells, *([_number(row.waiting, shown)] if has_waiting else [])]


def curve_text(curve: Curve) -> str:
    """Return a curve as text: its shape, then first, last and best value, each with its epoch."""
    shown = quantity(curve.metric)
    ends = " → ".join(_at(point, shown) for point in dict.fromkeys((curve.first, curve.last)))
    best = curve.best
    return f"{sparkline(curve.values)} {ends}" + (f", best {_at(best, shown)}" if best else "")


def _at(point: tuple[int, float], shown: Quantity) -> str:
    epoch, value = point
    return f"{_number(value, shown)} ({epoch})"


def _curve_legend(rows: Sequence[TrainingRow]) -> str:
    seeds = sorted({row.seeds for row in rows})
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    what = "one training" if seeds == [1] else f"the mean over {count} seeds"
    return f"Each curve is {what}, scaled from its minimum to its maximum; epochs in parentheses."


def nights_table(summary: Summary) -> Section | None:
    """Return header, rows and notes of the section on the suite's gate, or None without a history."""
    if not summary.nights:
        return None
    most = max(len(curve.values) for curve in summary.nights)
    note = f"The last {most} nights, oldest first, each curve scaled from its minimum to its maximum."
    return OF_NIGHTS, [_night_row(curve) for curve in summary.nights], [note]


def _night_row(curve: NightCurve) -> list[str]:
    alarms = curve.verdicts.count("regressed")
    return [
        quantity(curve.metric).title,
        curve.title,
        sparkline(curve.values),
        _number(curve.values[-1], quantity(curve.metric)),
        _number(curve.baseline, quantity(curve.metric)),
        curve.verdicts[-1],
        f"{alarms} of {len(curve.verdicts)}",
    ]


SECTIONS = {
    "comparisons": comparison_table,
    "robustness": robustness_table,
    "performance under corruption": performance_table,
    "analyses": analyses_table,
    "training": training_table,
    "gate": nights_table,
}
