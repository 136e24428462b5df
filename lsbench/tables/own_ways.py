"""Values that models have each in their own way, side by side: at their own size, fused in their own way.

Rows of one suite are compared each at the size that it was made for. Values that differ in nothing but that
share a column, whose protocol says so, and a note names the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from lsbench.core.facets import OWN, Facets, render_protocol

_KEY = ["metric", "dataset", "job"]
#: Protocols of values that are compared -> the facets that they share.
_Merged = dict[tuple[str, ...], Facets]


def with_own_ways(table: pd.DataFrame) -> pd.DataFrame:
    """Return a suite's long table with one protocol for values that differ in what each model has of its own.

    A variant that has several of these protocols itself, as with two jobs at two sizes, is left as it is, and
    so are all that it would be compared with.

    Args:
        table: The long table of one suite and preset.
    """
    known = table[table.metric.notna() & table.protocol.notna() & table.facets.notna()]
    known = known[["variant", *_KEY, "protocol", "facets"]].astype("object").drop_duplicates()
    changed: dict[tuple[object, ...], Facets] = {}
    for where, rows in known.groupby(_KEY, dropna=False, sort=False):
        for protocol, shared in _shared(rows):
            changed[(*map(_text, where), protocol)] = shared
    if not changed:
        return table
    keys = list(zip(*(table[name].astype("object").map(_text) for name in [*_KEY, "protocol"]), strict=True))
    found = [changed.get(key) for key in keys]
    is_changed = [one is not None for one in found]
    merged = table.copy()
    facets = [one for one in found if one is not None]
    merged.loc[is_changed, "protocol"] = [render_protocol(one) for one in facets]
    merged.loc[is_changed, "facets"] = [one.model_dump_json() for one in facets]
    return merged


def _text(value: object) -> str | None:
    return None if pd.isna(value) else str(value)  # type: ignore[call-overload]


def _shared(rows: pd.DataFrame) -> Iterator[tuple[str, Facets]]:
    """Yield each protocol that is to be merged with others, and the facets that they share."""
    groups: dict[Facets, dict[str, Facets]] = {}
    variants: dict[Facets, list[str]] = {}
    for variant, protocol, text in rows[["variant", "protocol", "facets"]].itertuples(index=False):
        facets = Facets.model_validate_json(text)
        if protocol != render_protocol(facets):
            continue  # a protocol of its own, which says more than its facets
        key = facets.without("res", "unfused_norms")
        groups.setdefault(key, {})[protocol] = facets
        variants.setdefault(key, []).append(variant)
    for key, ways in groups.items():
        if len(ways) > 1 and len(variants[key]) == len({*variants[key]}):
            sizes = {facets.res for facets in ways.values()}
            shared = key.model_copy(update={"res": OWN if len(sizes) > 1 else next(iter(sizes))})
            yield from ((protocol, shared) for protocol in ways)


def own_way_notes(table: pd.DataFrame, titles: Mapping[str, str]) -> list[str]:
    """Return notes on the sizes that rows have for their own, and on what fusing left of them.

    Args:
        table: The long table as it was before protocols were merged, with the rows that are shown.
        titles: Variant -> title.
    """
    known = table[table.facets.notna()].drop_duplicates(["variant", "facets"])
    sizes: dict[int, dict[str, None]] = {}
    left: dict[str, int] = {}
    for variant, text in known[["variant", "facets"]].astype("object").itertuples(index=False):
        facets = Facets.model_validate_json(text)
        if isinstance(facets.res, int):
            sizes.setdefault(facets.res, {})[titles.get(variant, variant)] = None
        if facets.unfused_norms:
            left[titles.get(variant, variant)] = facets.unfused_norms
    notes = []
    if len(sizes) > 1:
        told = "; ".join(f"{size} px: {', '.join(sizes[size])}" for size in sorted(sizes))
        notes.append(f"res={OWN}: each row has its own image size. {told}.")
    if left:
        told = ", ".join(f"{title} {count}" for title, count in left.items())
        notes.append(f"Batch normalisations that are left unfused: {told}.")
    return notes
