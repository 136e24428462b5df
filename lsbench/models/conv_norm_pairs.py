"""Find the batch normalisations that see the output of one convolution, which nothing else sees.

A model's own code is the proof: torch.fx runs it with stand-ins for tensors, which record every use of a
value and cannot be looked into, so that no branch depends on one. A part of a model whose code cannot be run
in this way is one step in the record of the rest, and nothing inside it counts as proven.

It is run as it is called and, where it has timm's ``forward_intermediates``, by that too, with the usual
values of all arguments that have one. Other values, and other methods, may take a path that is not seen, such
as one that returns an output before its normalisation.
"""

from __future__ import annotations

import copy
import gc
import inspect
import itertools
import warnings
import weakref
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame, conv2d_same
from timm.layers.norm_act import BatchNormAct2d
from timm.models import get_notrace_functions
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from lsbench.core.garbage import no_garbage_collection

#: Of exactly these classes it is known that they are affine maps, timm's last one with an activation.
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, Conv2dSame)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, BatchNormAct2d)
#: Modules that pass their input on in evaluation mode.
_PASSING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
#: What may be asked of a tensor without reading its values.
_ASKED = frozenset({"shape", "ndim", "dtype", "device", "is_cuda", "size", "dim", "numel"})
_CONV_FUNCTIONS = (
    *(torch.conv1d, torch.conv2d, torch.conv3d, conv2d_same),
    *(torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d),
)
#: The ways into a model; all have the first.
_DOORS = ("forward", "forward_intermediates")
#: What a normalisation may be asked for, by torch itself or as any module, and still be folded.
_FREE = frozenset({"forward", "training", "named_modules", "named_children"})
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass(frozen=True)
class ConvNormPairs:
    """The batch normalisations of a model that follow a convolution.

    Attributes:
        alone: Name of a convolution -> name of the batch normalisation that alone sees its output.
        other: Names of those that follow a convolution otherwise, or of which it is unknown what they follow.
    """

    alone: dict[str, str] = field(default_factory=dict)
    other: frozenset[str] = frozenset()


def is_batch_norm(module: nn.Module) -> bool:
    """Return whether a module is a batch normalisation, with running or frozen statistics."""
    return isinstance(module, _BatchNorm) or type(module).__name__.startswith("FrozenBatchNorm")


def find_pairs(model: nn.Module, closed: Collection[str] = ()) -> ConvNormPairs:
    """Return the pairs of a model as it runs in evaluation mode.

    Args:
        model: Any model; it is not changed.
        closed: Names of modules that are taken as they are, whatever they hold.
    """
    modules = dict(model.named_modules())
    norms = {name for name, module in modules.items() if is_batch_norm(module)}
    norms = {name for name in norms if not _is_within(name, closed)}
    if not norms:
        return ConvNormPairs()
    records = []
    for door in _DOORS:
        if hasattr(type(model), door) or door in vars(model):
            record = _record(model, closed, door)
            if record is None:
                return ConvNormPairs(other=frozenset(norms))
            records.append(record)
    first, *others = records
    alone = {
        conv: norm
        for conv, norm in first.pairs.items()
        if all(record.allows(conv, norm) for record in others)
    }
    return ConvNormPairs(alone, frozenset(norms - first.free_norms() - set(alone.values())))


def is_patched(module: nn.Module) -> bool:
    """Return whether a module has a routine of its own, such as ``forward``, instead of its class's."""
    return any(inspect.isroutine(getattr(type(module), name, None)) for name in vars(module))


def _is_within(name: str, places: Collection[str]) -> bool:
    return any(name == place or name.startswith(f"{place}." if place else "") for place in places)


class _Recorder(fx.Tracer):
    """Records a run of a model; a module whose code cannot be run with stand-ins is recorded as one call.

    Attributes:
        unread: Names of the modules of which only the call is known.
    """

    def __init__(self, model: nn.Module, closed: Collection[nn.Module], door: str) -> None:
        super().__init__(autowrap_functions=tuple(get_notrace_functions()))  # type: ignore[no-untyped-call]
        self.traced_func_name = door
        self._places = frozenset(model.modules())
        self._closed = closed
        self._outputs: list[tuple[weakref.ref[fx.Proxy], fx.Node]] = []
        self.unread: set[str] = set()

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Return the stand-in for a step's result."""
        made: fx.Proxy = super().proxy(node)
        if node.op == "call_module":
            self._outputs.append((weakref.ref(made), node))
        return made

    def kept(self) -> frozenset[fx.Node]:
        """Return the calls of modules whose results the model keeps after a run that collected no garbage."""
        if any(output() is not None for output, _ in self._outputs):
            gc.collect(0)  # what is kept, and not just in a cycle of references: the run's, which are young
        return frozenset(node for output, node in self._outputs if output() is not None)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is recorded as one call, although its code may be known."""
        is_known = isinstance(m, (*CONVOLUTIONS, *NORMS)) or m in self._closed
        return is_known or bool(super().is_leaf_module(m, module_qualified_name))

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record what a module does or, if that cannot be read, its call."""
        if m not in self._places:  # made in the run, as a slice of a sequence; what it holds has its place
            return forward(*args, **kwargs)
        before = next(iter(reversed(self.graph.nodes)), None)
        depth = len(self.module_stack)
        if not _is_opaque(m):
            try:
                return super().call_module(m, forward, args, kwargs)
            except Exception:  # noqa: BLE001 - the code of a model may do anything with a stand-in
                self._forget(before, depth)
        name = self.path_of_module(m)
        self.unread.add(name)
        return self.create_proxy("call_module", name, args, kwargs)

    def _forget(self, last: fx.Node | None, depth: int) -> None:
        """Remove what was recorded after `last`, but for the weights that were read."""
        for node in reversed(list(self.graph.nodes)):
            if node is last:
                break
            if node.op != "get_attr":
                self.graph.erase_node(node)
        while len(self.module_stack) > depth:
            self.module_stack.popitem()


def _has_hooks(module: nn.Module) -> bool:
    """Return whether other code sees what goes in or out of a module."""
    return any(getattr(module, kind, None) for kind in _HOOKS)


def _is_opaque(module: nn.Module) -> bool:
    """Return whether a module does more than the code of its class."""
    return _has_hooks(module) or is_patched(module)


class _Watched(nn.Module):
    """A module that remembers whether the model's code reads more of it than its output."""

    was_read = False

    def __getattribute__(self, name: str) -> Any:
        """Return an attribute."""
        if name not in _FREE and not name.startswith("_"):
            object.__setattr__(self, "was_read", True)
        return super().__getattribute__(name)


_WATCHED = {kind: type(kind.__name__, (_Watched, kind), {}) for kind in NORMS}


@no_garbage_collection()
def _record(model: nn.Module, closed: Collection[str], door: str) -> _Record | None:
    """Return the record of a run, or None if the code of the model itself cannot be run with stand-ins."""
    if door in vars(model):
        return None
    # A copy that shares all weights: what its code keeps, such as a stand-in, must not stay in the model.
    tensors = {id(tensor): tensor for tensor in itertools.chain(model.parameters(), model.buffers())}
    run = copy.deepcopy(model, tensors).eval()
    norms = {name: module for name, module in run.named_modules() if type(module) in NORMS}
    for module in norms.values():
        module.__class__ = _WATCHED[type(module)]
    recorder = _Recorder(run, {run.get_submodule(name) for name in closed}, door)
    try:
        parameters = list(inspect.signature(getattr(type(model), door)).parameters.values())[1:]
        usual = {one.name: one.default for one in parameters if one.default is not one.empty}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about arguments that keep their usual values
            graph = recorder.trace(run, concrete_args=usual or None)
    except Exception:  # noqa: BLE001 - as above
        return None
    read = {name for name, module in norms.items() if vars(module).get("was_read")}
    return _Record(
        dict(model.named_modules()), graph, frozenset(recorder.unread), frozenset(read), recorder.kept()
    )


@dataclass(frozen=True)
class _Record:
    """The record of a run.

    Attributes:
        modules: The model's modules by name.
        graph: Every step of the run.
        unread: Names of the modules of which only the call is known.
        read: Names of the batch normalisations of which the model's code reads more than the output.
        kept: Calls of modules whose results the model keeps.
    """

    modules: dict[str, nn.Module]
    graph: fx.Graph
    unread: frozenset[str]
    read: frozenset[str]
    kept: frozenset[fx.Node]

    @cached_property
    def pairs(self) -> dict[str, str]:
        """Return the name of a convolution -> that of the batch normalisation that alone sees its output."""
        calls = Counter(str(node.target) for node in self.graph.nodes if node.op == "call_module")
        taken = {name for name, count in calls.items() if count > 1} | self.read
        # Weights that other code reads must stay as they are, and so must whole modules that it gets.
        read = {str(node.target) for node in self.graph.nodes if node.op == "get_attr"}
        taken |= {name.rpartition(".")[0] for name in read - self.modules.keys()}
        hidden = self.unread | (read & self.modules.keys())
        found = {}
        for norm in self._norm_calls():
            conv = self._before(norm)
            if conv is None or not self._is_alone(conv, norm):
                continue
            first, last = str(conv.target), str(norm.target)
            if not any(name in taken or _is_within(name, hidden) for name in (first, last)):
                found[first] = last
        return found

    def allows(self, conv: str, norm: str) -> bool:
        """Return whether the two are a pair in this run too, or have no part in it."""
        if conv in self.pairs or norm in self.pairs.values():
            return self.pairs.get(conv) == norm
        steps = {str(node.target) for node in self.graph.nodes if node.op in ("call_module", "get_attr")}
        return not any(
            _is_within(step, (conv, norm)) or _is_within(conv, [step]) or _is_within(norm, [step])
            for step in steps | self.read
        )

    def free_norms(self) -> set[str]:
        """Return the names of the batch normalisations that only ever follow something else."""
        calls = [(str(norm.target), self._is_convolution(self._before(norm))) for norm in self._norm_calls()]
        after = {name for name, is_after_conv in calls if is_after_conv}
        return {name for name, _ in calls} - after

    def _norm_calls(self) -> list[fx.Node]:
        nodes = self.graph.nodes
        return [node for node in nodes if node.op == "call_module" and is_batch_norm(self._module(node))]

    def _module(self, node: fx.Node) -> nn.Module:
        return self.modules[str(node.target)]

    def _before(self, norm: fx.Node) -> fx.Node | None:
        """Return the step whose result a batch normalisation sees, past those that pass it on."""
        if len(norm.args) != 1 or norm.kwargs:
            return None
        found = norm.args[0]
        while isinstance(found, fx.Node) and found.op == "call_module" and self._passes(found):
            found = found.args[0]
        return found if isinstance(found, fx.Node) else None

    def _passes(self, node: fx.Node) -> bool:
        module = self._module(node)
        return type(module) in _PASSING and not _is_opaque(module) and len(node.args) == 1

    def _is_convolution(self, node: fx.Node | None) -> bool:
        if node is None:
            return True
        if node.op == "call_module":
            return isinstance(self._module(node), _ConvNd) or str(node.target) in self.unread
        return node.target in _CONV_FUNCTIONS

    def _is_alone(self, conv: fx.Node, norm: fx.Node) -> bool:
        """Return whether the two are known, and the convolution's output goes to the normalisation alone."""
        if conv.op != "call_module":
            return False
        first, last = self._module(conv), self._module(norm)
        is_known = type(first) in CONVOLUTIONS and type(last) in NORMS and not _is_opaque(last)
        if not is_known or last.running_mean is None or last.running_var is None:
            return False
        step = conv
        while step is not norm:
            users = [user for user in step.users if not _asks(user)]
            if len(users) != 1 or step in self.kept:
                return False
            step = users[0]
        return True


def _asks(node: fx.Node) -> bool:
    """Return whether a step asks for the shape or the like of a tensor, not for its values."""
    if node.op == "call_method":
        return node.target in _ASKED
    return node.op == "call_function" and node.target is getattr and node.args[1] in _ASKED
