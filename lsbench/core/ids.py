"""Content hashes: the same content always gives the same short name, on every machine."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:
    """Return `value` as canonical JSON: sorted keys, no spaces, no NaN.

    >>> canonical_json({"b": 1, "a": [1.5, None]})
    '{"a":[1.5,null],"b":1}'

    Raises:
        ValueError: If `value` holds NaN or infinity.
        TypeError: If `value` holds something that JSON cannot express.
    """
    return _CANONICAL.encode(value)


def content_hash(value: Any, *, length: int = 12) -> str:
    """Return the first `length` hexadecimal digits of the SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()[:length]
