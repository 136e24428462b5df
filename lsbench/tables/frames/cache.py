"""A columnar cache of a results folder's records, kept beside the journal and extended incrementally.

The file, ``cache.parquet``, is derived: it may be deleted at any time, and is rebuilt if it is damaged or has
another version. It records how far into the journal it reaches, with a checksum of that part.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lsbench.core.atomic import atomic_write
from lsbench.core.errors import LsbenchError, StoreError
from lsbench.store.lines import Lines
from lsbench.store.reference import is_reference
from lsbench.store.results import RECORDS, ResultsFolder
from lsbench.tables.frames.grouping import group_numbers
from lsbench.tables.frames.ways import Part, Way, zip_ways

CACHE = "cache.parquet"
VERSION = 3
#: The file is rewritten only if at least one byte in this many is new.
WORTH_KEEPING = 100

_TEXT = pa.dictionary(pa.int32(), pa.string())
#: Columns of the cache; missing values are null.
SCHEMA = pa.schema(
    {
        "job_id": _TEXT,
        "metric": _TEXT,
        "value": pa.float64(),
        "unit": _TEXT,
        "n": pa.int64(),
        "ci_low": pa.float64(),
        "ci_high": pa.float64(),
        "ci_method": _TEXT,
        "protocol": _TEXT,  # of the whole job
        "dataset": _TEXT,
        "setting": _TEXT,  # JSON; null for records of a part
        "lr_scale": pa.float64(),
        "epoch": pa.int64(),
        "corruption": _TEXT,
        "severity": pa.int64(),
        "category": _TEXT,
        "method": _TEXT,
        "facets": _TEXT,  # JSON; of the whole job
    }
)
_KEY = ["job_id", "metric", "dataset", "protocol", "epoch", "corruption", "severity", "category"]
_INFINITE = frozenset((math.inf, -math.inf))
_PLAIN = ("job_id", "metric", "value", "unit", "n", "ci_low", "ci_high", "ci_method", "dataset")
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, pa.ArrowException)
_META = b"lsbench"


@dataclass(frozen=True)
class Reach:
    """The part of the journal that a cache covers.

    Attributes:
        end: Number of journal bytes in the cache.
        checksum: CRC-32 of those bytes.
        stamp: Size, modification time and inode of the journal; None if there was none.
    """

    end: int = 0
    checksum: int = 0
    stamp: tuple[int, int, int] | None = None
    version: int = VERSION


class Records:
    """All records of a results folder in the order of the journal, one per job, metric, dataset, protocol."""

    def __init__(self, folder: ResultsFolder, further: Sequence[dict[str, Any]] = ()) -> None:
        """Bring the folder's cache up to date; works without a cache if it cannot be written.

        Args:
            folder: The results folder.
            further: Records that follow those of the journal; they are not cached.

        Raises:
            StoreError: If the journal is damaged.
        """
        self._folder = folder
        self._further = _to_tables(further) if further else None
        self._tables: dict[Part, pa.Table] = {}
        self._file = self._refreshed()

    def part(self, part: Part, columns: Sequence[str]) -> pd.DataFrame:
        """Return some columns of the records of one part as a frame."""
        table = self._of_journal(part, columns)
        if self._further is not None:
            both = [table, self._further[part].select(columns)]
            table = pa.concat_tables(both).unify_dictionaries().combine_chunks()
        return _frame(table)

    def _of_journal(self, part: Part, columns: Sequence[str]) -> pa.Table:
        if part not in self._tables and self._file is not None:
            try:
                return _read(self._file, part, columns)
            except _DAMAGED:
                self._rebuild(Reach())
        return self._tables[part].select(columns)

    def _refreshed(self) -> pq.ParquetFile | None:
        """Return the cache if it covers the whole journal; else fill `_tables` from cache and journal."""
        path = self._folder.root / CACHE
        file, reach = _open(path)
        stamp = _stamp(self._folder.root / RECORDS)
        if stamp is None:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        elif file is not None and reach.stamp == stamp and reach.end == stamp[0]:
            return file
        try:
            is_continued = file is not None and reach.end > 0 and self._is_prefix(reach)
            old = {part: _read(file, part) for part in Part} if is_continued else {}
        except _DAMAGED:
            old = {}
        self._rebuild(reach if old else Reach(), old)
        return None

    def _is_prefix(self, reach: Reach) -> bool:
        """Return True if the journal still begins with the bytes that the cache covers."""
        checksum, left = 0, reach.end
        with (self._folder.root / RECORDS).open("rb") as journal:
            while left and (block := journal.read(min(left, 2**22))):
                checksum, left = zlib.crc32(block, checksum), left - len(block)
        return not left and checksum == reach.checksum

    def _rebuild(self, reach: Reach, old: Mapping[Part, pa.Table] | None = None) -> None:
        """Fill `_tables` from `old`, which covers `reach`, and the rest of the journal; write the cache."""
        stamp = _stamp(self._folder.root / RECORDS)
        chunks: dict[Part, list[pa.Table]] = {part: [old[part]] if old else [] for part in Part}
        end, checksum, is_whole = reach.end, reach.checksum, True
        for lines in self._folder.record_blocks(reach.end):
            is_whole = is_whole and not lines.wrong  # a cache would hide that lines are left out
            for part, table in _tables_of(lines).items():
                chunks[part].append(table)
            end, checksum = lines.end, zlib.crc32(lines.content, checksum)
        self._tables = {part: _joined(found) for part, found in chunks.items()}
        is_kept = is_whole and stamp is not None and not is_reference(self._folder.root)
        if is_kept and (end - reach.end) * WORTH_KEEPING >= reach.end:
            with suppress(OSError, LsbenchError):
                _write(self._folder.root / CACHE, self._tables, Reach(end, checksum, stamp))


def _open(path: Path) -> tuple[pq.ParquetFile | None, Reach]:
    """Return a cache file and its reach, or None and an empty reach if it is missing or unusable."""
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        found = json.loads(file.schema_arrow.metadata[_META])
        reach = replace(Reach(**found), stamp=tuple(found["stamp"]))
        is_ours = file.schema_arrow.equals(SCHEMA) and file.num_row_groups == len(Part)
        return (file, reach) if is_ours and reach.version == VERSION else (None, Reach())
    except _DAMAGED:
        return None, Reach()


def _read(file: pq.ParquetFile, part: Part, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
    return file.read_row_group(part, columns=list(columns)).select(columns).replace_schema_metadata(None)


def _write(path: Path, tables: Mapping[Part, pa.Table], reach: Reach) -> None:
    schema = SCHEMA.with_metadata({_META: json.dumps(asdict(reach)).encode()})
    with (
        atomic_write(path) as file,
        pq.ParquetWriter(file, schema, compression="lz4", write_page_checksum=True) as writer,
    ):
        for part in Part:
            table = tables[part].replace_schema_metadata(schema.metadata)
            writer.write_table(table, row_group_size=max(len(table), 1))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _tables_of(lines: Lines) -> dict[Part, pa.Table]:
    """Return lines of the journal as one table per part.

    Raises:
        StoreError: If a line is not a record; the message names the line.
    """
    try:
        return _to_tables(lines.values)
    except _DAMAGED:
        for number, line in enumerate(lines.values):
            try:
                _to_tables([line])
            except _DAMAGED as error:
                reason = f"lacks {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
                raise StoreError(
                    f"{lines.place(number)}: no record ({reason}); restore the file from a copy, or remove "
                    "it: the next run rebuilds it from the job folders"
                ) from error
        raise


def _to_tables(values: Iterable[dict[str, Any]]) -> dict[Part, pa.Table]:
    own: dict[Part, list[dict[str, Any]]] = {part: [] for part in Part}
    ways: dict[Part, list[Way]] = {part: [] for part in Part}
    for record, way in zip_ways(values):
        own[way.part].append(record)
        ways[way.part].append(way)
    return {part: _to_table(part, own[part], ways[part]) for part in Part}


def _to_table(part: Part, records: list[dict[str, Any]], ways: list[Way]) -> pa.Table:
    columns: dict[str, Any] = {name: [record[name] for record in records] for name in _PLAIN}
    if not _INFINITE.isdisjoint(itertools.chain(columns["value"], columns["ci_low"], columns["ci_high"])):
        raise ValueError("a number is infinite")
    settings = [record["setting"] for record in records]
    columns["setting"] = [json.dumps(setting) if part is Part.WHOLE else None for setting in settings]
    columns["lr_scale"] = [setting.get("lr_scale") for setting in settings]
    columns |= {name: [getattr(way, name) for way in ways] for name in Way._fields if name != "part"}
    return pa.table([_array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def _array(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    is_text = pa.types.is_dictionary(kind)
    array = pa.array(values, pa.string() if is_text else kind)
    return array.dictionary_encode().cast(kind) if is_text else array


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Return all rows in one table; of rows with the same key, the last one in the place of the first."""
    table = pa.concat_tables(tables or [SCHEMA.empty_table()]).unify_dictionaries().combine_chunks()
    number = group_numbers(table.select(_KEY).to_pandas(), _KEY)
    if number.max(initial=-1) + 1 == len(number):
        return table
    last = np.zeros(number.max() + 1, np.int64)
    last[number] = np.arange(len(number))
    return table.take(pa.array(last))


def _frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame, with categorical text and nullable numbers."""
    nullable: dict[pa.DataType, Literal["Int64", "Float64"]] = {pa.int64(): "Int64", pa.float64(): "Float64"}
    types = {kind: pd.api.types.pandas_dtype(name) for kind, name in nullable.items()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=types.get)
    return frame
