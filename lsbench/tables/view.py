"""Select, sort or pivot a summary: a view turns one summary into another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from lsbench.core.errors import UsageError
from lsbench.core.globs import matches, suggest_glob
from lsbench.core.quantity import Quantity
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.ranking import reranked
from lsbench.tables.summary import Summary


@dataclass(frozen=True)
class View:
    """The options that select and order the rows and columns of summaries.

    Attributes:
        rows: Globs of variants, by name or title, or several with commas between them; empty for all.
        columns: Globs of columns in the same way, by key or title, in the order of display; empty for all
            columns and the sections below the table.
        sort_by: Key or title of the column to sort by, or ``"variant"``; None keeps the suite's order.
        is_descending: Direction of the sort; None puts the best value first.
        only_changed: True to leave out rows that no shown column tells apart from the baseline.
        precision: Decimals of every number; None for those of its quantity.
        is_pivoted: True to show variants as columns and measurements as rows.
        all_columns: True to include the further measurements in console, Markdown and LaTeX tables.
        has_notes: False to leave out the notes below tables.
    """

    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sort_by: str | None = None
    is_descending: bool | None = None
    only_changed: bool = False
    precision: int | None = None
    is_pivoted: bool = False
    all_columns: bool = False
    has_notes: bool = True


def apply_views(summaries: Sequence[Summary], view: View) -> list[Summary]:
    """Return the view of several summaries, without those that become empty.

    One that has no columns, as nothing that it would show is measured yet, stays for its notes.

    Raises:
        UsageError: If the view names a row or column that no summary has, or if all summaries become empty.
    """
    rows = [_row_names(row) for found in summaries for row in found.rows]
    columns = [_column_names(column) for found in summaries for column in found.columns]
    view = replace(view, rows=listed_globs(view.rows, rows), columns=listed_globs(view.columns, columns))
    check_globs("--rows", view.rows, rows)
    check_globs("--columns", view.columns, columns)
    if view.sort_by is not None:
        check_globs("--sort-by", [view.sort_by], [("variant",), *columns])
    shown = [apply_view(summary, view) for summary in summaries]
    pairs = zip(summaries, shown, strict=True)
    left = [one for whole, one in pairs if one.rows and (one.columns or not (whole.columns or view.columns))]
    if not left and any(summary.rows and summary.columns for summary in summaries):
        raise UsageError("no row is left to show: no variant matches both --rows and --only-changed")
    return left


def apply_view(summary: Summary, view: View) -> Summary:
    """Return the view of one summary."""
    found = replace(summary, shows_further=view.all_columns or bool(view.columns))
    if view.rows:
        found = _with_rows(found, [row for row in found.rows if _matches(_row_names(row), view.rows)])
    if view.sort_by is not None:
        found = replace(found, rows=_sorted(found, view.sort_by, view.is_descending))
    if view.columns:
        found = _with_columns(found, _chosen(found.columns, view.columns))
    if view.only_changed:
        found = _changed(found)
    if view.precision is not None:
        found = replace(found, columns=[_with_digits(c, view.precision) for c in found.columns])
    found = replace(found, rows=reranked(found.columns, found.rows, summary.rows))
    found = _pivoted(found) if view.is_pivoted and found.columns else found
    return found if view.has_notes else replace(found, notes=[], has_notes=False)


def _row_names(row: Row) -> tuple[str, ...]:
    return row.variant, row.title


def _column_names(column: Column) -> tuple[str, ...]:
    return column.key, column.title


def _matches(names: Iterable[str], globs: Iterable[str]) -> bool:
    """Return True if a name equals or matches one of `globs`."""
    wanted = list(globs)
    return any(matches(name, glob) for name in names for glob in wanted)


def listed_globs(texts: Iterable[str], named: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return every glob of texts that may each hold several, separated by commas.

    A comma may also be part of a title: a text is taken apart such that every part matches, if it can be.
    """

    def fits(glob: str) -> bool:
        return any(_matches(names, [glob]) for names in named)

    found: list[str] = []
    for text in texts:
        plain = [part.strip() for part in text.split(",") if part.strip()] or [text]
        found += _parted(text.split(","), fits) or plain
    return tuple(found)


def _parted(parts: Sequence[str], fits: Callable[[str], bool]) -> list[str] | None:
    """Return the parts, joined where only that gives matching globs; None if there is no such way."""
    if not "".join(parts).strip():
        return []
    for end in range(1, len(parts) + 1):
        glob = ",".join(parts[:end]).strip()
        rest = _parted(parts[end:], fits) if glob and fits(glob) else None
        if rest is not None:
            return [glob, *rest]
    return _parted(parts[1:], fits) if not parts[0].strip() else None


def check_globs(flag: str, globs: Iterable[str], named: Sequence[tuple[str, ...]]) -> None:
    """Raise a UsageError if a glob matches none of the things that have the names `named`."""
    known = list(dict.fromkeys(names[0] for names in named))
    for glob in globs:
        if not any(_matches(names, [glob]) for names in named):
            near = suggest_glob(glob, [name for names in named for name in names])
            raise UsageError(f"{flag} {glob}: no match{near or '; known: ' + ', '.join(known)}")


def _with_rows(summary: Summary, rows: list[Row]) -> Summary:
    """Return the summary with some of its rows, and the sections of those variants only."""
    names = {row.variant for row in rows}
    return replace(
        summary,
        rows=rows,
        curves=[curve for curve in summary.curves if curve.variant in names],
        corruptions=[figure for figure in summary.corruptions if figure.variant in names],
        nights=[curve for curve in summary.nights if curve.variant in names],
        comparisons=[one for one in summary.comparisons if one.variant in names],
        analyses=[figure for figure in summary.analyses if figure.variant in names],
    )


def _with_columns(summary: Summary, columns: list[Column]) -> Summary:
    """Return the summary with some of its columns and their notes, without sections."""
    notes, warnings = summary.notes, summary.warnings
    if summary.notes_on is not None:
        notes, warnings = summary.notes_on(columns)
    found = replace(summary, columns=columns, notes=notes, warnings=warnings, has_sections=False)
    return replace(found, curves=[], corruptions=[], nights=[], comparisons=[], analyses=[])


def _chosen(columns: Sequence[Column], globs: Sequence[str]) -> list[Column]:
    """Return the matching columns in the order of the globs."""
    found = {c.key: c for glob in globs for c in columns if _matches(_column_names(c), [glob])}
    return list(found.values())


def _sorted(summary: Summary, name: str, is_descending: bool | None) -> list[Row]:
    """Return the rows sorted by one column; rows without a value come last, in their old order."""
    if name == "variant":
        return sorted(summary.rows, key=lambda row: row.title.casefold(), reverse=bool(is_descending))
    column = next((c for c in summary.columns if _matches(_column_names(c), [name])), None)
    if column is None:
        return summary.rows
    if is_descending is None:
        is_descending = bool(column.quantity.higher_is_better)
    there = [(found.value, row) for row in summary.rows if (found := row.cells[column.key].estimate)]
    there.sort(key=lambda pair: pair[0], reverse=is_descending)
    return [*(row for _, row in there), *(row for row in summary.rows if not row.cells[column.key].estimate)]


def _changed(summary: Summary) -> Summary:
    kept = [row for row in summary.rows if row.is_baseline or _is_changed(row, summary)]
    left = [row.title for row in summary.rows if row not in kept]
    note = f"Left out, not told apart from the baseline: {', '.join(left) or 'none'}."
    return replace(_with_rows(summary, kept), notes=[*summary.notes, note])


def _is_changed(row: Row, summary: Summary) -> bool:
    """Return True if a comparison, or else an interval, tells a row apart from the baseline."""
    compared = {(one.metric, one.dataset): one for one in summary.comparisons if one.variant == row.variant}

    def is_apart(delta: Column) -> bool:
        one = compared.get((delta.quantity.name, delta.dataset))
        if one is not None:
            return one.is_told_apart
        found = row.cells[delta.key].estimate
        return found is not None and found.excludes_zero

    return any(is_apart(column) for column in summary.columns if column.is_delta)


def _with_digits(column: Column, digits: int) -> Column:
    return replace(column, quantity=replace(column.quantity, digits=digits))


def _pivoted(summary: Summary) -> Summary:
    keys = _keys(summary.rows)
    columns = [
        Column(key, Quantity(key, "", None, _titled(row)), "")
        for key, row in zip(keys, summary.rows, strict=True)
    ]
    rows = [
        Row(c.key, c.title, False, _cells_of(c, keys, summary.rows), panel=c.panel) for c in summary.columns
    ]
    return replace(summary, columns=columns, rows=rows, row_kind="measured")


def _keys(rows: Sequence[Row]) -> list[str]:
    """Return a name of each row that no other has: its variant, or its title, as trials share a variant."""
    variants = [row.variant for row in rows]
    return variants if len({*variants}) == len(variants) else [row.title for row in rows]


def _titled(row: Row) -> str:
    mark = " (baseline)" if row.is_baseline else " (published only)" if row.is_published_only else ""
    return f"{row.title}{mark}"


def _cells_of(column: Column, keys: Sequence[str], rows: Sequence[Row]) -> dict[str, Cell]:
    return {key: replace(row.cells[column.key], of=column) for key, row in zip(keys, rows, strict=True)}
