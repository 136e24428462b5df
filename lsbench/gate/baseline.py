"""The file that tonight is compared with. A seal in it tells a whole file from a damaged one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from lsbench.core.atomic import write_text
from lsbench.core.errors import InconclusiveError, UsageError
from lsbench.core.ids import content_hash
from lsbench.core.spec import StrictModel
from lsbench.gate.measurement import GateRow
from lsbench.suite.gate import GateRule

SCHEMA = 1
SEAL = "seal"


class Baseline(StrictModel):
    """What a suite gave at one time, with all that a comparison needs.

    Attributes:
        schema_version: Version of the file's format.
        rules: The rules of the suite when it was written.
    """

    schema_version: Literal[1] = 1
    suite: str
    preset: str
    created_at: str
    lsbench: str
    rules: tuple[GateRule, ...]
    rows: tuple[GateRow, ...]

    def check_suite(self, path: Path, suite: str, preset: str) -> None:
        """Check that this is the baseline of a suite and preset.

        Raises:
            UsageError: If it is another's.
        """
        if (self.suite, self.preset) != (suite, preset):
            raise UsageError(
                f"{path}: expected the baseline of {suite} ({preset}), found that of {self.suite} "
                f"({self.preset}); name another file with --baseline"
            )


def default_path(results: Path, suite: str, preset: str) -> Path:
    """Return where the baseline of a suite and preset is kept unless another file is named.

    >>> default_path(Path("results"), "nightly", "default").as_posix()
    'results/baselines/nightly.json'
    """
    name = suite if preset == "default" else f"{suite}-{preset}"
    return results / "baselines" / f"{name}.json"


def create_baseline(
    suite: str, preset: str, lsbench: str, rules: tuple[GateRule, ...], rows: list[GateRow]
) -> Baseline:
    """Return the baseline that `rows`, measured under a version of lsbench, are."""
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
        DiskFullError: If there is no room.
    """
    try:
        is_other = path.exists() and read_baseline(path)
    except UsageError:
        is_other = False  # what cannot be read is what writing a new one mends
    if is_other:
        is_other.check_suite(path, baseline.suite, baseline.preset)
    content = baseline.model_dump(mode="json")
    text = json.dumps({SEAL: _seal(content), **content}, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        write_text(path.absolute(), text + "\n")
    except OSError as error:
        raise UsageError(f"{path}: the baseline cannot be written ({error.strerror})") from error


def read_baseline(path: Path) -> Baseline:
    """Return the baseline in a file.

    Raises:
        InconclusiveError: If there is no file.
        UsageError: If it is damaged, or of another version of the format.
    """
    mend = "restore it, or write a new one with --update-baseline"
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InconclusiveError(
            f"{path}: there is no baseline; write one with `lsbench gate SUITE --update-baseline` "
            "or name another file with --baseline"
        ) from error
    except OSError as error:
        raise UsageError(f"{path}: the baseline cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UsageError(f"{path}: half-written or damaged, no JSON; {mend}") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version is None:
        raise UsageError(f"{path}: expected a baseline of lsbench, found other JSON; {mend}")
    if version != SCHEMA:
        raise UsageError(f"{path}: expected schema version {SCHEMA}, found {version}; {mend}")
    seal = content.pop(SEAL, None)
    if seal != _seal(content):
        raise UsageError(f"{path}: damaged or edited by hand, its seal does not fit; {mend}")
    try:
        return Baseline.model_validate_json(json.dumps(content))
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        place = ".".join(map(str, found["loc"]))
        raise UsageError(f"{path}: {place}: {found['msg']}; {mend}") from error


def _seal(content: Any) -> str:
    return content_hash(content, length=64)
