"""Format two sets of results side by side as a table or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from lsbench.core.interval_text import possible
from lsbench.core.quantity import quantity
from lsbench.rendering import console
from lsbench.rendering.markdown import table_lines
from lsbench.rendering.sentences import comparison_notes, p_text, sentence
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


def beside_json(found: Sequence[Beside], names: tuple[str, str]) -> str:
    """Return all rows as JSON, in SI units and full precision."""
    rows = [
        {
            **{name: getattr(one, name) for name in ("variant", "metric", "dataset", "protocol", "a", "b")},
            "remark": one.remark,
            "comparison": None if one.compared is None else to_row(one.compared),
            "words": None if one.compared is None else sentence(one.compared),
        }
        for one in found
    ]
    return json.dumps({"a": names[0], "b": names[1], "rows": rows}, indent=1, ensure_ascii=False) + "\n"


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
