"""What other programs use of a shared cluster: what is taken of each node, less what this run has there."""

from __future__ import annotations

from collections.abc import Mapping

#: CPUs and GPUs.
Amounts = tuple[float, float]
NOTHING: Amounts = (0.0, 0.0)
#: Shares below it are rounding.
LEAST = 1e-3


class OthersUse:
    """The use of others by node.

    A job of this run that has just ended or begun is seen late, so that only what two looks in a row have
    found counts; at a node's first look, this run has nothing there yet.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._found: dict[str, Amounts] = {}

    def look(
        self, total: Mapping[str, Amounts], free: Mapping[str, Amounts], ours: Mapping[str, Amounts]
    ) -> dict[str, Amounts]:
        """Return the use of others by node; nothing for a node of which the free part is not known.

        Args:
            total: All of each node.
            free: What is free of it.
            ours: What this run has there.
        """
        found = {
            name: _less(_less(amounts, free[name]), ours.get(name, NOTHING))
            for name, amounts in total.items()
            if name in free
        }
        before, self._found = self._found, found
        return {name: _least(found.get(name, NOTHING), before.get(name)) for name in total}


def _less(amounts: Amounts, other: Amounts) -> Amounts:
    cpus, gpus = amounts[0] - other[0], amounts[1] - other[1]
    return (cpus if cpus > LEAST else 0.0, gpus if gpus > LEAST else 0.0)


def _least(amounts: Amounts, other: Amounts | None) -> Amounts:
    return amounts if other is None else (min(amounts[0], other[0]), min(amounts[1], other[1]))
