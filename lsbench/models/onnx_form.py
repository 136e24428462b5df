"""An ONNX graph rewritten into fewer operators, and into those that keep maps in a runtime's own layout.

Runtimes keep maps in blocks of channels, or pixel by pixel, as long as one operator after the other can work
so, and reorder them for the others. Those are some of the operators that torch's exporter writes: for means
of planes, and for parts of a convolution's output. Every change leaves the numbers as they are, up to the
order of sums. Nothing depends on the values of weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx_ir as ir
    from numpy.typing import NDArray


def rewrite(model: ir.Model) -> None:
    """Rewrite the graph of a model in place."""
    graph = model.graph
    for change in (_merge_slices, _pool_planes, _part_convolutions):
        for node in tuple(graph):
            change(_Place(graph, node))
    for node in reversed(tuple(graph)):
        if not any(output.uses() or output.is_graph_output() for output in node.outputs):
            graph.remove(node, safe=True)
    for name, value in tuple(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del graph.initializers[name]


class _Place:
    """A node in its graph, to be replaced by others."""

    def __init__(self, graph: ir.Graph, node: ir.Node) -> None:
        self.graph, self.node = graph, node

    def attribute(self, name: str, default: Any) -> Any:
        """Return the value of an attribute."""
        found = self.node.attributes.get(name)
        return default if found is None else found.value

    def constant(self, value: ir.Value | None) -> NDArray[Any] | None:
        """Return what a value is if it is known."""
        return None if value is None or value.const_value is None else value.const_value.numpy()

    def hold(self, array: NDArray[Any]) -> ir.Value:
        """Return a new constant."""
        import onnx_ir as ir

        tensor = ir.tensor(np.ascontiguousarray(array))
        name = f"{self.node.outputs[0].name}_{len(self.graph.initializers)}"
        value = ir.Value(
            name=name, shape=_shape(*array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor
        )
        self.graph.register_initializer(value)
        return value

    def add(
        self, operator: str, inputs: Iterable[ir.Value | None], like: ir.Value, shape: Any, **attributes: Any
    ) -> ir.Value:
        """Return the output of a new node before this one.

        Args:
            operator: Its name.
            inputs: Its inputs.
            like: A value of the dtype of the output.
            shape: Of the output.
            attributes: Of the operator.
        """
        import onnx_ir as ir

        made = ir.node(operator, list(inputs), attributes)
        made.outputs[0].shape, made.outputs[0].type = shape, like.type
        self.graph.insert_before(self.node, made)
        return made.outputs[0]

    def replace(self, output: ir.Value, by: ir.Value) -> None:
        """Let all that use an output of the node use another value."""
        import onnx_ir as ir

        if output.is_graph_output():
            by.name, output.name = output.name, f"{output.name}_before"
        ir.convenience.replace_all_uses_with(output, by, replace_graph_outputs=True)


def _merge_slices(place: _Place) -> None:
    """Cut along two axes at once."""
    inner = _cuts(place)
    before = None if inner is None else place.node.inputs[0].producer()  # type: ignore[union-attr]
    outer = None if before is None else _cuts(_Place(place.graph, before))
    if inner is None or outer is None or set(inner[2].tolist()) & set(outer[2].tolist()):
        return
    cuts = [place.hold(np.concatenate(pair)) for pair in zip(outer, inner, strict=True)]
    output = place.node.outputs[0]
    found = place.add("Slice", [before.inputs[0], *cuts], output, output.shape)  # type: ignore[union-attr]
    place.replace(output, found)


def _cuts(place: _Place) -> list[NDArray[Any]] | None:
    """Return starts, ends, axes and steps of a slice if all are known and no axis counts from the end."""
    node = place.node
    if node.op_type != "Slice" or len(node.inputs) < 4:
        return None
    known = [place.constant(value) for value in node.inputs[1:5]]
    if len(known) == 3 and known[0] is not None:
        known.append(np.ones_like(known[0]))
    found = [one for one in known if one is not None]
    return None if len(found) < 4 or bool(np.any(found[2] < 0)) else found


def _pool_planes(place: _Place) -> None:
    """Take the mean of a plane by the operator for it."""
    node = place.node
    if node.op_type != "ReduceMean":
        return
    value, output = node.inputs[0], node.outputs[0]
    axes = place.constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if value is None or value.shape is None or len(value.shape) != 4 or axes is None:
        return
    if sorted(axis % 4 for axis in axes.tolist()) != [2, 3]:
        return
    batch, channels = value.shape[0], value.shape[1]
    found = place.add("GlobalAveragePool", [value], output, _shape(batch, channels, 1, 1))
    if not place.attribute("keepdims", 1):
        found = place.add("Flatten", [found], output, output.shape, axis=1)
    place.replace(output, found)


def _part_convolutions(place: _Place) -> None:
    """Let a convolution make the parts of its output one by one, if one goes on to a convolution."""
    node = place.node
    if node.op_type != "Split" or place.attribute("axis", 0) != 1 or len(node.inputs) < 2:
        return
    whole, sizes = node.inputs[0], place.constant(node.inputs[1])
    made = None if whole is None else whole.producer()
    if made is None or made.op_type != "Conv" or len(whole.uses()) != 1 or sizes is None:  # type: ignore[union-attr]
        return
    conv = _Place(place.graph, made)
    known = [place.constant(value) for value in made.inputs[1:]]
    goes_on = any(use.node.op_type == "Conv" for output in node.outputs for use in output.uses())
    if not goes_on or conv.attribute("group", 1) != 1 or any(one is None for one in known):
        return
    start = 0
    for output, size in zip(node.outputs, sizes.tolist(), strict=True):
        parts = [place.hold(one[start : start + size]) for one in known]  # type: ignore[index]
        attributes = {name: one.value for name, one in made.attributes.items()}
        place.replace(output, place.add("Conv", [made.inputs[0], *parts], output, output.shape, **attributes))
        start += size


def _shape(*sizes: Any) -> ir.Shape:
    import onnx_ir as ir

    return ir.Shape(sizes)
