"""Everything about one job as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lsbench.core.interval_text import possible
from lsbench.core.quantity import from_bytes, from_duration, quantity
from lsbench.store.earlier import earlier_results
from lsbench.tables.one_job import JobFile, Number, OneJob

#: Files of a class beyond these are only counted.
MOST_FILES = 6
#: The classes of files that are shown one by one, in this order.
NAMED = ("log", "weights", "checkpoint", "picture")


def show_lines(jobs: Sequence[OneJob]) -> Iterator[str]:
    """Yield one job with its settings, or the jobs of a variant with the settings of their model alone."""
    first = jobs[0]
    if len(jobs) > 1:
        yield f"{first.variant} of {first.known.place}: {len(jobs)} jobs"
        yield from _section("model", first.model)
    for one in jobs:
        yield f"{one.known.label} of {one.known.place}: {one.known.state()}"
        yield f"  id: {one.known.id or 'none yet'}"
        yield from _run_lines(one.line)
        if len(jobs) == 1:
            yield from _section("model", one.model)
            yield from _section("settings", one.settings, "known once it has started")
        yield from _section("needs", one.needs)
        yield from _number_lines(one)
        yield from _file_lines(one)


def _run_lines(line: Mapping[str, Any]) -> Iterator[str]:
    if line.get("started_at"):
        took = f", took {from_duration(line['wall_s'])}" if line.get("wall_s") is not None else ""
        tries = line.get("attempts") or 1
        yield f"  started: {line['started_at']}{took}" + (f", {tries} attempts" if tries > 1 else "")
    where = line.get("provenance") or {}
    if where:
        commit = str(where.get("git_sha") or "")[:12]
        code = f"lsbench {where.get('lsbench')}" + (f", commit {commit}" if commit else "")
        code += " with changes" if commit and where.get("git_dirty") else ""
        machine = where.get("device_name") or where.get("cpu")
        yield f"  measured by: {code}, torch {where.get('torch')}, on {machine} ({where.get('host')})"


def _section(title: str, values: Mapping[str, Any] | None, unknown: str = "none") -> Iterator[str]:
    if values is None:
        yield f"  {title}: {unknown}"
    elif values:
        yield f"  {title}:"
        yield from (f"    {name}: {_text(value)}" for name, value in _flat(values))


def _flat(values: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        inner = f"{name}.{key}" if name else str(key)
        if isinstance(value, Mapping) and value:
            yield from _flat(value, inner)
        elif value not in (None, {}, [], ()):
            yield inner, value


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _number_lines(one: OneJob) -> Iterator[str]:
    whole = [number for number in one.numbers if not number.is_of_a_part]
    if not one.numbers:
        yield "  numbers: none"
        return
    yield "  numbers of earlier code, which no report shows:" if one.known.due else "  numbers:"
    for number in whole:
        where = "" if number.dataset is None else f", on {number.dataset}"
        yield f"    {number_text(number)}   ({number.protocol}{where})"
    if parts := len(one.numbers) - len(whole):
        yield f"    and {parts} of single epochs or corruptions: see --json"


def number_text(number: Number) -> str:
    """Return a number in the form of the tables: title with unit, value, interval, image count."""
    shown = quantity(number.metric)
    has_unit = "(" in shown.title or not number.unit or shown.is_counted
    title = shown.title if has_unit else f"{shown.title} ({number.unit})"
    if number.value is None:
        return f"{title}: none, {number.reason}"
    text = f"{title}: {number.value * shown.scale:.{shown.digits}f}"
    if number.ci_low is not None and number.ci_high is not None:
        ends = possible(shown, number.value, number.ci_low, number.ci_high)
        low, high = (f"{bound * shown.scale:.{shown.digits}f}" for bound in ends)
        text += f" [{low}, {high}]"
    return text if number.n is None else f"{text}, n={number.n}"


def _file_lines(one: OneJob) -> Iterator[str]:
    for path in earlier_results(one.known.folder, one.known.id):
        yield f"  earlier result: {path}"
    if not one.files:
        return
    yield f"  folder: {one.path} ({from_bytes(sum(file.size for file in one.files))})"
    by_class: dict[str, list[JobFile]] = {}
    for file in one.files:
        by_class.setdefault(file.what, []).append(file)
    others = by_class.pop("other", [])
    for what, found in sorted(by_class.items(), key=lambda pair: NAMED.index(pair[0])):
        for file in found[:MOST_FILES]:
            yield f"  {what}: {file.path} ({from_bytes(file.size)})"
        if len(found) > MOST_FILES:
            yield f"  and {len(found) - MOST_FILES} more of these"
    if others:
        named = ", ".join(str(file.path.relative_to(one.path)) for file in others[:MOST_FILES])
        more = f" and {len(others) - MOST_FILES} more" if len(others) > MOST_FILES else ""
        yield f"  other files: {named}{more}"
    url = (one.settings or {}).get("checkpoint_url")
    if url:
        yield f"  checkpoints: {str(url).rstrip('/')}/{one.known.id}"
