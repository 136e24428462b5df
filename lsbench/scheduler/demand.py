"""What a run could use at a time, for a cluster that adds nodes as they are needed."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice

from lsbench.scheduler.ledger import ResourceRequest
from lsbench.scheduler.protocol import Placement

#: Amounts by their names in Ray, that fit on one node together.
Bundle = dict[str, float]
#: A cluster grows to no more than this at once; what is left is asked for when these have ended.
MOST_BUNDLES = 1000


def bundles(
    running: Iterable[Placement], ready: Iterable[ResourceRequest], *, most: int | None = None
) -> list[Bundle]:
    """Return what running jobs have and ready ones request: a bundle per job, of a gang one per rank.

    Args:
        running: Where jobs run; an exclusive job counts with all that it takes.
        ready: The requests of the jobs that could start now, in their order.
        most: Most jobs at a time, or None.

    >>> bundles([], [ResourceRequest(4, 2.0, "no", num_ranks=2)])
    [{'CPU': 2, 'GPU': 1.0}, {'CPU': 2, 'GPU': 1.0}]
    """
    placements = list(running)
    begun = (_bundle(part.num_cpus, part.num_gpus) for place in placements for part in place.parts)
    free = None if most is None else max(most - len(placements), 0)
    wanted = (
        _bundle(one.num_cpus, one.num_gpus)
        for request in islice(ready, free)
        for one in [request.for_ranks(1)] * request.num_ranks
    )
    return list(islice(chain(begun, wanted), MOST_BUNDLES))


def _bundle(num_cpus: float, num_gpus: float) -> Bundle:
    return {"CPU": num_cpus, **({"GPU": num_gpus} if num_gpus else {})}
