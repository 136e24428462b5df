"""The cost of each part of a model: its modules as a tree, with multiply-accumulates and parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from lsbench.models.macs import MacCount


@dataclass(frozen=True)
class ModuleCost:
    """The cost of a module with everything inside it.

    Attributes:
        name: Its name in the parent module; for the whole model, the name of its class.
        kind: Name of its class.
        macs: Multiply-accumulates of one image. Includes operators that it calls outside its children, so it
            may exceed the sum over the children.
        params: Trained values; one that several modules share is counted in each.
        children: The modules inside it, in their order.
    """

    name: str
    kind: str
    macs: int
    params: int
    children: tuple[ModuleCost, ...]

    def walk(self, depth: int, level: int = 0) -> Iterator[tuple[int, ModuleCost]]:
        """Yield this module and its descendants down to `depth` levels, each with its level."""
        yield level, self
        if depth > 0:
            for child in self.children:
                yield from child.walk(depth - 1, level + 1)


def cost_tree(model: nn.Module, count: MacCount) -> ModuleCost:
    """Return the costs of `model` and of all modules in it.

    Args:
        model: The model that was counted.
        count: Result of :func:`lsbench.models.macs.count_macs`.
    """
    return _cost(model, type(model).__name__, "", count)


def _cost(module: nn.Module, name: str, path: str, count: MacCount) -> ModuleCost:
    inside = tuple(
        _cost(child, child_name, f"{path}.{child_name}" if path else child_name, count)
        for child_name, child in module.named_children()
    )
    params = sum(parameter.numel() for parameter in module.parameters())
    return ModuleCost(name, type(module).__name__, count.by_module.get(path, 0), params, inside)
