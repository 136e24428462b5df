"""Answers that take minutes to compute, cached as long as their inputs are unchanged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lsbench.core.atomic import write_text
from lsbench.core.cache_root import cache_root
from lsbench.core.waits import announced_if_long

SETTLED_NS = 2_000_000_000
"""A file changed less than this ago may change again within the clock's resolution: do not cache."""


def remember(
    name: str,
    state: Any,
    newest_ns: int,
    find: Callable[[], Any],
    *,
    is_final: Callable[[Any], bool] = lambda answer: True,
    wait: str = "",
) -> Any:
    """Return the result of `find`, from the cache if it was computed in this `state` before.

    Args:
        name: The answer's file below the cache folder, without its ending.
        state: The inputs of the answer (sizes, modification times), as JSON values.
        newest_ns: The latest modification time in `state`; an answer from files that changed a moment ago is
            not cached.
        find: Computes the answer; it must survive JSON.
        is_final: Whether an answer may be cached.
        wait: What to tell those who wait for it, if it may take more than a second.
    """
    path = cache_root() / f"{name}.json"
    known = _read(path)
    if known.get("state") == state:
        return known["answer"]
    with announced_if_long(wait) if wait else nullcontext():
        answer = find()
    if is_final(answer) and time.time_ns() - newest_ns > SETTLED_NS:
        write_text(path, json.dumps({"state": state, "answer": answer}))
    return answer


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and "answer" in found else {}
