"""Format two sets of results side by side as a table or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from lsbench.core.counted import counted
from lsbench.core.interval_text import possible
from lsbench.core.quantity import quantity
from lsbench.rendering import console
from lsbench.rendering.markdown import table_lines
from lsbench.rendering.sentences import comparison_notes, p_text, sentence
from lsbench.tables.answer_changes import Agreement
from lsbench.tables.comparisons import to_row
from lsbench.tables.side_by_side import Beside

HEADER = ("variant", "metric", "A", "B", "B - A", "95 % interval", "p (Holm)", "remark")


def beside_rows(found: Sequence[Beside]) -> list[list[str]]:
    """Return one row of cells per number."""
    return [_row(one) for one in found]


def _row(one: Beside) -> list[str]:
    shown, found = quantity(one.metric), one.compared.difference if one.compared else None
    where = f"{one.dataset} {shown.title}" if one.dataset else shown.title
    gap = None if one.a is None or one.b is None else one.b - one.a
    interval = "-"
    if found is not None:
        gap = found.value
        if found.low is not None and found.high is not None:
            ends = possible(shown, found.value, found.low, found.high, is_difference=True)
            interval = " to ".join(f"{end * shown.scale:+.{shown.digits}f}" for end in ends)
    cells = ["-" if v is None else f"{v * shown.scale:.{shown.digits}f}" for v in (one.a, one.b)]
    change = "-" if gap is None else f"{gap * shown.scale + 0.0:+.{shown.digits}f}"
    p_value = p_text(one.compared.p_adjusted) if one.compared else "-"
    return [one.variant, where, *cells, change, interval, p_value, one.remark]


def beside_notes(found: Sequence[Beside], names: tuple[str, str]) -> list[str]:
    """Return the notes below the table: the two sides, each comparison as a sentence, tests and protocols."""
    compared = [one.compared for one in found if one.compared is not None]
    words = [f"{quantity(one.metric).title.partition(' (')[0]}: {sentence(one)}." for one in compared]
    protocols = dict.fromkeys(
        f"{quantity(one.metric).title}: {f'{one.dataset}|' if one.dataset else ''}{one.protocol}."
        for one in found
    )
    return [f"A: {names[0]}. B: {names[1]}.", *words, *comparison_notes(compared), *protocols]


def agreement_notes(
    agreements: Sequence[Agreement],
    timings: Mapping[str, Sequence[float]],
    origins: Sequence[tuple[str, str]],
) -> list[str]:
    """Return the notes on whether two sets of results are the same: answers, relative timings, origins.

    Args:
        agreements: The rows whose answers both sides keep.
        timings: Metric -> B over A of each row, of timings that are ratios to a control.
        origins: What the sides were measured with, where that differs.
    """
    notes = [_answers_note(one) for one in agreements]
    for metric, ratios in timings.items():
        shown = quantity(metric).title.partition(" (")[0]
        ends = " to ".join(dict.fromkeys(f"{end:.3f}" for end in (min(ratios), max(ratios))))
        notes.append(f"{shown}: B is {ends} times A in {counted(len(ratios), 'row')}.")
    if origins and agreements:
        sides = "; ".join(
            f"{side}: {', '.join(found)}"
            for side, found in zip("AB", zip(*origins, strict=True), strict=True)
        )
        notes.append(
            f"Measured with {sides}. Equal answers are expected on the same kind of CPU and versions alone."
        )
    return notes


def _answers_note(one: Agreement) -> str:
    """Return in one line how many images are answered differently in each row."""
    first = one.rows[0]
    images = f"{first.images:,} images of {one.dataset}"
    seeds = counted(max(row.seeds for row in one.rows), "seed")
    if not any(row.changed for row in one.rows):
        return f"Answers: equal for all {images}, in {counted(len(one.rows), 'row')} and {seeds}."
    told = ", ".join(
        f"{row.title} {row.changed:.10g}"
        + (
            f" (two seeds of A: {row.between_seeds[0]} to {row.between_seeds[1]})"
            if row.between_seeds
            else ""
        )
        for row in one.rows
    )
    beyond = [row.title for row in one.rows if row.is_beyond_seeds]
    if beyond:
        verdict = f"Beyond the spread over seeds: {', '.join(beyond)}"
    elif all(row.between_seeds is None for row in one.rows):
        verdict = "One seed does not tell the spread over seeds"
    else:
        verdict = "That is within the spread over seeds"
    return f"Of {images}, B answers differently than A, mean over {seeds}: {told}. {verdict}."


def beside_json(found: Sequence[Beside], names: tuple[str, str], agreements: Sequence[Agreement] = ()) -> str:
    """Return all rows as JSON, in SI units and full precision, and the rows whose answers both sides keep."""
    rows = [
        {
            **{name: getattr(one, name) for name in ("variant", "metric", "dataset", "protocol", "a", "b")},
            "remark": one.remark,
            "comparison": None if one.compared is None else to_row(one.compared),
            "words": None if one.compared is None else sentence(one.compared),
        }
        for one in found
    ]
    answers = [
        {
            "dataset": one.dataset,
            "protocol": one.protocol,
            **asdict(row),
            "is_beyond_seeds": row.is_beyond_seeds,
        }
        for one in agreements
        for row in one.rows
    ]
    value = {"a": names[0], "b": names[1], "rows": rows, "answers": answers}
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def table_text(
    format_name: str,
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str],
    *,
    keys: int = 2,
) -> str:
    """Return a table with notes as Markdown, or as text for the terminal.

    Args:
        format_name: ``markdown``, or any other name for text.
        title: Title above the table.
        header: Column titles.
        rows: Cells of each row.
        notes: Lines below the table.
        keys: Number of first columns that say what a row is: by default variant and metric.
    """
    if format_name == "markdown":
        return "\n".join(table_lines(title, header, rows, notes)) + "\n"
    return console.table_text(title, header, rows, notes, keys=keys)
