"""Read and write the baseline file. Its seal, a hash of the content, reveals damage and edits by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from lsbench.core.destination import write_to
from lsbench.core.errors import InconclusiveError, UsageError
from lsbench.core.ids import content_hash
from lsbench.core.plain_text import shown
from lsbench.core.spec import StrictModel
from lsbench.core.validation import place_of, reason_of
from lsbench.gate.measurement import GateRow, RowKey
from lsbench.store.lines import NotANumberError, refuse_constant
from lsbench.suite.gate import GateRule

SCHEMA = 1
SEAL = "seal"


class Baseline(StrictModel):
    """The results of a suite at one time, with everything that a comparison needs.

    Attributes:
        schema_version: Version of the file's format.
        rules: The suite's rules when the baseline was written.
    """

    schema_version: Literal[1] = 1
    suite: str
    preset: str
    created_at: str
    lsbench: str
    rules: tuple[GateRule, ...]
    rows: tuple[GateRow, ...]

    def check_suite(self, path: Path, suite: str, preset: str) -> None:
        """Check that this is the baseline of the given suite and preset.

        Raises:
            UsageError: If it belongs to another suite or preset.
        """
        if (self.suite, self.preset) != (suite, preset):
            raise UsageError(
                f"{path}: expected the baseline of {suite} ({preset}), found that of {self.suite} "
                f"({self.preset}); name another file with --baseline"
            )


def default_path(results: Path, suite: str, preset: str) -> Path:
    """Return the default path of the baseline of a suite and preset.

    >>> default_path(Path("results"), "nightly", "default").as_posix()
    'results/baselines/nightly.json'
    """
    name = suite if preset == "default" else f"{suite}-{preset}"
    return results / "baselines" / f"{name}.json"


def create_baseline(
    suite: str, preset: str, lsbench: str, rules: tuple[GateRule, ...], rows: list[GateRow]
) -> Baseline:
    """Return a baseline made of `rows`, which the given version of lsbench measured."""
    return Baseline(
        suite=suite,
        preset=preset,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        lsbench=lsbench,
        rules=rules,
        rows=tuple(rows),
    )


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Write a baseline; a reader sees the old file or the whole new one.

    Raises:
        UsageError: If the file is the baseline of another suite or preset, or cannot be written.
        DiskFullError: If the disk is full.
    """
    try:
        is_other = path.is_file() and read_baseline(path)
    except UsageError:
        is_other = False  # a damaged file is simply replaced
    if is_other:
        is_other.check_suite(path, baseline.suite, baseline.preset)
    content = baseline.model_dump(mode="json")
    text = json.dumps({SEAL: _seal(content), **content}, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        write_to(path, f"{text}\n".encode())
    except OSError as error:
        raise UsageError(f"{path}: the baseline cannot be written ({error.strerror})") from error


def read_baseline(path: Path) -> Baseline:
    """Return the baseline in a file.

    Raises:
        InconclusiveError: If there is no file.
        UsageError: If it is damaged, or its format has another version.
    """
    mend = "restore it, or write a new one with --update-baseline"
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)
    except FileNotFoundError as error:
        raise InconclusiveError(
            f"{path}: there is no baseline; write one with the same command and --update-baseline, or name "
            "another file with --baseline"
        ) from error
    except OSError as error:
        raise UsageError(f"{path}: the baseline cannot be read ({error.strerror})") from error
    except NotANumberError as error:
        raise UsageError(f"{path}: expected finite numbers, found {error}; {mend}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected JSON, found a damaged or half-written file; {mend}") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version is None:
        raise UsageError(f"{path}: expected an lsbench baseline, found other JSON; {mend}")
    if version != SCHEMA:
        raise UsageError(f"{path}: expected schema version {SCHEMA}, found {shown(str(version))}; {mend}")
    seal = content.pop(SEAL, None)
    try:
        is_whole = seal == _seal(content)
    except ValueError as error:  # a number as large as 1e999 is read as infinity
        raise UsageError(f"{path}: expected finite numbers, found an infinite one; {mend}") from error
    if not is_whole:
        raise UsageError(f"{path}: damaged or edited by hand, the seal does not match; {mend}")
    try:
        baseline = Baseline.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        raise UsageError(f"{path}: {place_of(found)}: {reason_of(found)}; {mend}") from error
    _check_rows(baseline.rows, f"{path}: rows", mend)
    return baseline


def _check_rows(rows: Sequence[GateRow], where: str, mend: str) -> None:
    """Raise a UsageError if a row or a seed occurs twice, or packed samples cannot be used."""
    first: dict[RowKey, int] = {}
    for number, row in enumerate(rows):
        place = f"{where}.{number}"
        if row.key in first:
            raise UsageError(f"{place}: the same row as {where}.{first[row.key]} ({row.key}); {mend}")
        first[row.key] = number
        seeds = [one.seed for one in row.measurements]
        if len(set(seeds)) < len(seeds):
            raise UsageError(f"{place}: {row.key}: a seed occurs twice; {mend}")
        for measurement in row.measurements:
            try:
                measurement.check()
            except ValueError as error:
                raise UsageError(f"{place}: {row.key}: {error}; {mend}") from error


def _seal(content: Any) -> str:
    return content_hash(content, length=64)
