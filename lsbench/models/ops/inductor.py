"""Tells Inductor to call an operator as it is, although a decomposition of it is registered for exporters.

Inductor calls an operator that it does not know as a fallback. Where such an operator has a decomposition and
the environment variable CI is set, it stops instead, so that PyTorch's own developers notice a forgotten
lowering. An explicit fallback says that the operator is meant to stay whole.
"""

from __future__ import annotations

import sys

from torch._ops import OpOverload


def stays_whole(operator: OpOverload) -> None:
    """Make `operator` an explicit fallback of Inductor, once and only where Inductor is already imported.

    Fake kernels call this: Inductor runs them before it looks for lowerings, and importing Inductor for a
    model that is never compiled would take seconds.

    Args:
        operator: The overload that compiled graphs shall call, with inputs strided as in eager mode.
    """
    lowering = sys.modules.get("torch._inductor.lowering")
    if lowering is not None and operator not in lowering.lowerings:
        lowering.make_fallback(operator, layout_constraint=lowering.constrain_to_fake_tensors, warn=False)
