"""Of what part of its job a record is, and in which way the whole job measures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from lsbench.core.facets import Facets, render_part
from lsbench.store.results import facets_of

Line = dict[str, Any]


class Part(IntEnum):
    """What a record is of: its whole job, one epoch, or one corruption."""

    WHOLE = 0
    EPOCH = 1
    CORRUPTION = 2


class Way(NamedTuple):
    """In which way a record was measured.

    Attributes:
        part: What the record is of.
        protocol: That of the whole job.
        epoch: The epoch; None where it is of none.
        corruption: The corruption; None where it is of none.
        severity: Of the corruption; None where it is of none, or of all severities.
        method: As the facets tell it.
        facets: Facets of the whole job as JSON.
    """

    part: Part
    protocol: str
    epoch: int | None
    corruption: str | None
    severity: int | None
    method: str | None
    facets: str


def zip_ways(records: Iterable[Line]) -> Iterator[tuple[Line, Way]]:
    """Yield each record with the way it was measured; each distinct way is looked at once.

    Raises:
        ValueError: If the facets of a record are none that this version knows.
        KeyError: If a record has no protocol.
    """
    known: dict[Any, Way] = {}
    for record in records:
        key = _key_of(record)
        way = known.get(key)
        if way is None:
            way = known[key] = _way(record["protocol"], facets_of(record))
        yield record, way


def _key_of(record: Mapping[str, Any]) -> Any:
    """Return what is equal for records that were measured in the same way."""
    facets = record.get("facets")
    if facets is None:
        return record["protocol"]
    key = (record["protocol"], *facets.items())
    try:
        hash(key)
    except TypeError:  # some facet has several values
        return record["protocol"], json.dumps(facets)
    return key


def _way(protocol: str, facets: Facets) -> Way:
    part = Part.WHOLE
    if facets.is_of_a_part:
        part = Part.CORRUPTION if facets.epoch is None else Part.EPOCH
    whole, told = protocol.removesuffix(render_part(facets)), facets.whole.model_dump_json()
    return Way(part, whole, facets.epoch, facets.corruption, facets.severity, facets.method, told)
