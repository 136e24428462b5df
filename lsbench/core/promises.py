"""The contract of each kind of plug-in, checked when one from another package is loaded.

Types are named by their path and imported only for a check, because this module lies below the packages
that define them.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Promise:
    """The requirements on the object of a plug-in.

    Attributes:
        words: The requirements as a text, to follow "expected" in messages.
        type: Path of a class, ``module:Class``, that the object may be an instance of; empty: none.
        arguments: Number of arguments of a function that is accepted instead; None: no function is accepted.
        subclasses: Attribute of the object -> path of the class that it must be a subclass of.
        functions: Attributes of the object that must be functions.
        literal: Whether the object is a tuple of names.
        modules: Whether a call gives a module of torch; a class of them is accepted, too.
    """

    words: str
    type: str = ""
    arguments: int | None = None
    subclasses: tuple[tuple[str, str], ...] = ()
    functions: tuple[str, ...] = ()
    literal: bool = False
    modules: bool = False

    def broken_by(self, found: Any) -> str | None:
        """Return ``"expected ..., found ..."`` if `found` breaks the promise, else None."""
        if self.literal:
            is_kept = (
                isinstance(found, tuple | list) and bool(found) and all(isinstance(n, str) for n in found)
            )
            return None if is_kept else f"expected {self.words}, found {describe(found)}"
        if self.arguments is not None and callable(found):
            return self._broken_call(found)
        expected = class_at(self.type) if self.type else None
        if expected is None or not isinstance(found, expected):
            return f"expected {self.words}, found {describe(found)}{_lacking(found, expected)}"
        return self._broken_part(found)

    def _broken_call(self, found: Callable[..., Any]) -> str | None:
        if not self._gives_a_result(found):
            return f"expected {self.words}, found {describe(found)}"
        try:
            inspect.signature(found).bind(*range(self.arguments or 0))
        except TypeError:
            return f"expected {self.words}, found {describe(found)} with the arguments {_arguments(found)}"
        except ValueError:  # a function without a signature, such as one written in C
            return None
        return None

    def _gives_a_result(self, found: Callable[..., Any]) -> bool:
        """Return whether a call gives the result itself: no coroutine, and no object without use."""
        if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
            return False
        if self.modules and not isinstance(found, type):
            return not (inspect.isgeneratorfunction(found) or hasattr(found, "register_forward_hook"))
        if isinstance(found, type):  # its objects must be modules, which can be called
            return self.modules and any("__call__" in vars(base) for base in found.__mro__)
        return True

    def _broken_part(self, found: Any) -> str | None:
        for name, path in self.subclasses:
            part, base = getattr(found, name), class_at(path)
            if not (isinstance(part, type) and issubclass(part, base)):
                return f"expected its {name} to be a subclass of {base.__name__}, found {describe(part)}"
        for name in self.functions:
            if not callable(getattr(found, name)):
                return f"expected its {name} to be a function, found {describe(getattr(found, name))}"
        return None


def broken_quantities(module: ModuleType) -> str | None:
    """Return a message if a module declares invalid ``QUANTITIES``, else None; they may be missing."""
    declared, expected = getattr(module, "QUANTITIES", ()), class_at("lsbench.core.quantity:Quantity")
    if isinstance(declared, tuple | list) and all(isinstance(one, expected) for one in declared):
        return None
    return f"expected QUANTITIES to be a tuple of Quantity, found {describe(declared)}"


def class_at(path: str) -> type:
    """Import and return the class at ``module:Class``."""
    module, _, name = path.partition(":")
    found: type = getattr(importlib.import_module(module), name)
    return found


def describe(found: Any) -> str:
    """Return a description of an object, for messages.

    >>> describe("brier"), describe(len), describe(int)
    ("the text 'brier'", 'the function len', 'the class int')
    """
    if isinstance(found, str):
        return f"the text {found[:40]!r}"
    if isinstance(found, type):
        return f"the class {found.__name__}"
    if inspect.isroutine(found):
        return f"the function {found.__name__}"
    if isinstance(found, ModuleType):
        return f"the module {found.__name__}"
    return f"an object of {type(found).__name__}"


def _arguments(found: Callable[..., Any]) -> str:
    return f"({', '.join(inspect.signature(found).parameters)})"


def _lacking(found: Any, expected: type | None) -> str:
    """Return the parts of a protocol that an object lacks, as the end of a message."""
    parts = getattr(expected, "__protocol_attrs__", None) or _protocol_members(expected)
    missing = sorted(name for name in parts if not hasattr(found, name))
    return f" without {', '.join(missing)}" if missing and not isinstance(found, str) else ""


def _protocol_members(expected: type | None) -> set[str]:
    if expected is None or not getattr(expected, "_is_protocol", False):
        return set()
    return {name for name in vars(expected) if not name.startswith("_")}


MIXER = Promise("a class or function of the number of channels", arguments=1, modules=True)
FAMILY = Promise("a tuple of the names of its models", literal=True)
JOB = Promise(
    "an lsbench.core.job.JobKind",
    "lsbench.core.job:JobKind",
    subclasses=(("spec", "lsbench.core.job:JobSpec"),),
    functions=("run", "cost"),
)
DATASET = Promise(
    "an object with the methods of lsbench.data.dataset.DatasetPlugin",
    "lsbench.data.dataset:DatasetPlugin",
    subclasses=(("spec", "lsbench.data.dataset:DatasetSpec"),),
    functions=("fingerprint", "prepare", "num_classes", "num_images"),
)
METRIC = Promise(
    "a function of (logits, targets), or an lsbench.metrics.Metric",
    "lsbench.metrics:Metric",
    arguments=2,
    functions=("per_image", "aggregate"),
)
PROBE = Promise("a function of (model, img_size, context)", arguments=3)
ANALYSIS = Promise("an lsbench.analyses.Analysis", "lsbench.analyses:Analysis", functions=("analyse", "draw"))
RUNTIME = Promise(
    "an lsbench.runtimes.Runtime", "lsbench.runtimes:Runtime", functions=("load", "version", "takes", "lacks")
)
LOGGER = Promise(
    "an lsbench.loggers.LoggerKind",
    "lsbench.loggers:LoggerKind",
    subclasses=(("spec", "lsbench.core.spec:StrictModel"),),
    functions=("open",),
)
REPORT = Promise("a function of the list of summaries", arguments=1)
CORRUPTION = Promise("a function of (image, severity, rng)", arguments=3)
MODEL = Promise("a function that timm.models.register_model has registered", arguments=0)
