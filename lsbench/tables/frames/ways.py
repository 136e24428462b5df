"""The part of its job that each record covers, and the protocol and facets of the whole job."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from lsbench.core.facets import OF_A_PART, Facets, render_part, render_protocol
from lsbench.store.results import facets_of

Line = dict[str, Any]


class Part(IntEnum):
    """The part that a record covers: the whole job, one epoch, one corruption, or one class."""

    WHOLE = 0
    EPOCH = 1
    CORRUPTION = 2
    CATEGORY = 3


#: Parts with the facet that names each; a record of several is of the first.
_NAMED = ((Part.EPOCH, "epoch"), (Part.CORRUPTION, "corruption"), (Part.CATEGORY, "category"))


class Way(NamedTuple):
    """The part and protocol of a record.

    Attributes:
        part: The part that the record covers.
        protocol: Protocol of the whole job.
        epoch: The epoch; None for other parts.
        corruption: The corruption; None for other parts.
        severity: Severity of the corruption; None for other parts, or for all severities.
        category: The class; None for other parts.
        method: The method among the facets.
        facets: Facets of the whole job as JSON.
    """

    part: Part
    protocol: str
    epoch: int | None
    corruption: str | None
    severity: int | None
    category: str | None
    method: str | None
    facets: str


def zip_ways(records: Iterable[Line]) -> Iterator[tuple[Line, Way]]:
    """Yield each record with its way; each distinct way is parsed once.

    Raises:
        ValueError: If this version does not know the facets of a record.
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
    """Return a key that is equal for records with equal ways."""
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
    part = next((part for part, name in _NAMED if getattr(facets, name) is not None), Part.WHOLE)
    of_whole = facets.whole
    compared = of_whole.comparable
    is_text_kept = compared is of_whole
    whole = protocol.removesuffix(render_part(facets)) if is_text_kept else render_protocol(compared)
    told = compared.model_dump_json()
    own = {name: getattr(facets, name) for name in OF_A_PART}
    return Way(part=part, protocol=whole, method=facets.method, facets=told, **own)
