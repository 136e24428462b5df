"""Check that what is read from a results folder has the keys and types that readers rely on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import NoneType
from typing import Any

from lsbench.core.errors import StoreError
from lsbench.core.record import SCHEMA_VERSION

Types = Mapping[str, tuple[type, ...]]

#: The keys of a manifest, of each of its jobs, of a line of a job, and of a record.
OF_SUITE: Types = {
    **dict.fromkeys(("suite", "preset", "description", "baseline"), (str,)),
    **dict.fromkeys(("tags", "jobs"), (list,)),
}
OF_JOB: Types = {
    **dict.fromkeys(("label", "kind", "name", "variant", "title", "model", "dataset"), (str,)),
    **dict.fromkeys(("id", "mixer"), (str, NoneType)),
    "seed": (int, NoneType),
}
OF_LINE: Types = {"job_id": (str,), "status": (str,)}
OF_RESULT: Types = {"job": (dict,), "records": (list,)}
OF_RECORD: Types = {
    **dict.fromkeys(("job_id", "metric", "protocol"), (str,)),
    **dict.fromkeys(("value", "ci_low", "ci_high"), (float, int, NoneType)),
    **dict.fromkeys(("unit", "ci_method", "dataset"), (str, NoneType)),
    "n": (int, NoneType),
    "setting": (dict,),
}
_NAMES = {str: "a text", list: "a list", dict: "a mapping", int: "a whole number", float: "a number"}
MEND = "remove the file and run again"


def check_schema(content: Mapping[str, Any], where: str) -> None:
    """Raise a StoreError if a newer lsbench wrote `content`, as this one would misread it."""
    found = content.get("schema_version", SCHEMA_VERSION)
    if not isinstance(found, int) or found > SCHEMA_VERSION:
        raise StoreError(
            f"{where}: written by a newer lsbench (schema {found}, this one reads up to {SCHEMA_VERSION}); "
            "upgrade lsbench"
        )


def check_keys(content: Any, types: Types, where: str, *, mend: str = MEND) -> None:
    """Raise a StoreError if `content` is no mapping, or lacks a key, or a value has another type.

    Args:
        content: A mapping as read from JSON.
        types: Key -> the types that its value may have.
        where: File and place in it, for the message.
        mend: What to do.
    """
    if not isinstance(content, dict):
        raise StoreError(f"{where}: expected a mapping, found {content!r:.40}; {mend}")
    if not content.keys() >= types.keys():
        missing = [key for key in types if key not in content]
        raise StoreError(f"{where}: lacks {', '.join(map(repr, missing))}; {mend}")
    for key, allowed in types.items():
        value = content[key]
        if type(value) in allowed:
            continue
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            name = _NAMES[allowed[0]]
            raise StoreError(f"{where}: {key}: expected {name}, found {value!r:.40}; {mend}")


def check_manifest(manifest: Any, where: str) -> None:
    """Raise a StoreError if a manifest lacks something, or a newer lsbench wrote it."""
    check_schema(manifest, where)
    check_keys(manifest, OF_SUITE, where)
    for number, entry in enumerate(manifest["jobs"]):
        check_keys(entry, OF_JOB, f"{where}: jobs[{number}]")
        if not -(2**63) <= (entry["seed"] or 0) < 2**63:
            raise StoreError(f"{where}: jobs[{number}]: seed: beyond 64 bits, found {entry['seed']}; {MEND}")


def check_result(result: Any, where: str) -> None:
    """Raise a StoreError if the result of a job lacks something, or a newer lsbench wrote it."""
    mend = "remove the job's folder and run again"
    check_keys(result, OF_RESULT, where, mend=mend)
    check_schema(result["job"], where)
    check_keys(result["job"], OF_LINE, f"{where}: job", mend=mend)
    for number, record in enumerate(result["records"]):
        check_keys(record, OF_RECORD, f"{where}: records[{number}]", mend=mend)
        for key in ("value", "ci_low", "ci_high"):
            if record[key] is not None and not math.isfinite(record[key]):
                raise StoreError(f"{where}: records[{number}]: {key}: expected a finite number; {mend}")
