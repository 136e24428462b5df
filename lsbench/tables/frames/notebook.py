"""Results as one typed pandas frame for notebooks: ``lsbench.load_table``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

import pandas as pd

from lsbench.core.errors import NothingMeasuredError, StoreError, UsageError
from lsbench.core.next_command import near, next_command
from lsbench.core.registry import suggest
from lsbench.store.damage import explained
from lsbench.store.owned import results_at
from lsbench.store.places import find_asked, find_results
from lsbench.store.results import ResultsFolder
from lsbench.tables.frames import load
from lsbench.tables.frames.categories import load_categories
from lsbench.tables.frames.corruptions import load_corruptions
from lsbench.tables.frames.parts import OpenResults

#: Columns that identify a row of the wide form.
ROW = ["suite", "preset", "variant", "title", "mixer", "model", "seed"]
FORMS = ("long", "wide", "classes", "categories", "corruptions")


def load_table(
    suite_or_path: str | Path,
    *,
    form: Literal["long", "wide", "classes", "categories", "corruptions"] = "long",
    results: str | Path = "results",
) -> pd.DataFrame:
    """Return the results of a suite as a typed pandas frame, in the units of the records.

    Args:
        suite_or_path: Name of a suite below `results`, or the path of a results folder: of one preset, of a
            suite with all its presets, or of several suites. Of two folders with the same suite and preset,
            the column ``suite`` tells the folder too.
        form: ``"long"``: one row per record, with the columns of
            :data:`~lsbench.tables.frames.load.LONG_COLUMNS`, and one without a metric per job that has none.
            ``"wide"``: one row per variant and seed, one column per metric; a value without a seed (a model's
            cost) is repeated in every row of its variant. A metric under several protocols or on several
            data sets has one column for each: ``metric@dataset|protocol``. ``"classes"``: one row per
            evaluation and class with its accuracy, see :func:`~lsbench.tables.frames.classes.load_classes`.
            ``"categories"``: one row per number of one class of detectors and segmenters, such as its AP or
            IoU, see :func:`~lsbench.tables.frames.categories.load_categories`. ``"corruptions"``: one row per
            number under one corruption, see :func:`~lsbench.tables.frames.corruptions.load_corruptions`.
        results: The folder that holds the results of all suites, or its address such as ``s3://bucket/path``.

    Returns:
        The frame. ``frame.attrs["units"]`` holds the unit of each metric (long) or column (wide), and
        ``frame.attrs["protocols"]`` of the wide form the protocol of each column. Unmeasured is ``<NA>``,
        never 0. A job whose plug-ins have changed since has the status ``due``, the reason as error, and no
        metric.

    Raises:
        NothingMeasuredError: If there are no results.
        UsageError: If `form` is unknown, or no suite of that name has results.
    """
    if form not in FORMS:
        raise UsageError(
            f"form '{form}' is unknown{suggest(form, FORMS) or '; there are: ' + ', '.join(FORMS)}"
        )
    folders = _folders(suite_or_path, results_at(results))
    if form == "classes":
        from lsbench.tables.frames.classes import load_classes

        return load_classes(folders)
    if form == "categories":
        return load_categories(folders)
    if form == "corruptions":
        return load_corruptions(folders)
    table = load.load_table(folders)
    for folder in folders:
        with suppress(StoreError), explained(folder.root):  # a damaged folder has been told already
            for line in OpenResults(folder).mixtures():
                folder.warn(line)
    if form == "wide":
        return _wide(table)
    measured = table[table.metric.notna()].drop_duplicates("metric")
    table.attrs["units"] = dict(zip(measured.metric, measured.unit.fillna(""), strict=True))
    return table


def _folders(suite_or_path: str | Path, results: Path) -> list[ResultsFolder]:
    found = find_asked(suite_or_path, results)
    if found is not None:
        return found
    name = Path(suite_or_path).name
    known = {folder.root.parent.name for folder in find_results(results)}
    if not known:
        start = next_command("run", str(suite_or_path), results=results)
        raise NothingMeasuredError(f"{near(results)}: no results; start with `{start}`")
    hint = suggest(name, known) or f"; there are: {', '.join(sorted(known))}"
    raise UsageError(f"{suite_or_path}: no results of that name in {near(results)}{hint}")


def _wide(table: pd.DataFrame) -> pd.DataFrame:
    measured = table[table.metric.notna()].copy()
    measured["column"] = _column_names(measured)
    ways = measured.drop_duplicates("column")
    frame = _rows_of(table)
    for name, part in measured.groupby("column", sort=False):
        frame[name] = _values(frame, part)
    frame.attrs["units"] = dict(zip(ways.column, ways.unit.fillna(""), strict=True))
    frame.attrs["protocols"] = dict(zip(ways.column, ways.protocol, strict=True))
    return frame


def _column_names(measured: pd.DataFrame) -> list[str]:
    """Return the column of each record: its metric, with data set and protocol if the metric has several."""
    plain = list(zip(measured.metric, measured.dataset.fillna(""), measured.protocol, strict=True))
    ways: dict[str, set[tuple[str, str]]] = {}
    for metric, dataset, protocol in plain:
        ways.setdefault(metric, set()).add((dataset, protocol))
    return [m if len(ways[m]) == 1 else f"{m}@{dataset}|{protocol}" for m, dataset, protocol in plain]


def _rows_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per variant and seed in the suite's order; a variant without seeds has one row."""
    rows = table[ROW].drop_duplicates().reset_index(drop=True)
    has_seed = rows.groupby(ROW[:3]).seed.transform(lambda seeds: seeds.notna().any()).astype(bool)
    rows = rows[rows.seed.notna() | ~has_seed]
    return rows.drop_duplicates([*ROW[:3], "seed"]).reset_index(drop=True)


def _values(frame: pd.DataFrame, part: pd.DataFrame) -> pd.Series[float]:
    """Return a column's value in each row: that of its seed, else that of the whole variant."""
    keys = [*ROW[:3], "seed"]
    of_seed = {
        key: value for *key_, value in part[[*keys, "value"]].itertuples(index=False) for key in [_key(key_)]
    }
    found = []
    for names in frame[keys].itertuples(index=False):
        key = _key(list(names))
        found.append(of_seed.get(key, of_seed.get((*key[:3], None), pd.NA)))
    return pd.Series(found, index=frame.index, dtype="Float64")


def _key(names: list[object]) -> tuple[object, ...]:
    *rest, seed = names
    return (*rest, None if pd.isna(seed) else int(seed))  # type: ignore[call-overload]
