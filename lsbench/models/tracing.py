"""Make functions that compute with sizes readable for torch.fx, which records a model's code as a graph.

torch.fx runs a model on proxies, which have neither sizes nor values. A function that needs them is recorded
as a whole, and computes when the graph runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from torch.fx import Proxy

P = ParamSpec("P")
R = TypeVar("R")


def one_node(function: Callable[P, R]) -> Callable[P, R]:
    """Make torch.fx record a call of `function` as one node of its graph.

    Args:
        function: One of a module, whose first argument is a tensor or a size. Modules among its further
            arguments must be parts of the traced model.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        first = args[0]
        if isinstance(first, Proxy):
            recorded: Any = first.tracer.create_proxy("call_function", call, args, kwargs)
            return cast(R, recorded)
        return function(*args, **kwargs)

    return call
