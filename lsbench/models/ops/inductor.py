"""Make Inductor call an operator as a whole, even though a decomposition is registered for exporters.

Inductor calls an unknown operator as a fallback. If such an operator has a decomposition and the environment
variable CI is set, it stops instead, so that PyTorch's developers notice a forgotten lowering. An explicit
fallback says that the operator is meant to stay whole.
"""

from __future__ import annotations

import sys

from torch._ops import OpOverload


def stays_whole(operator: OpOverload) -> None:
    """Make `operator` an explicit fallback of Inductor, once and only if Inductor is already imported.

    Fake kernels call this: Inductor runs them before it looks for lowerings, and importing Inductor for a
    model that is never compiled would take seconds.

    Args:
        operator: The overload that compiled graphs call, with inputs strided as in eager mode.
    """
    lowering = sys.modules.get("torch._inductor.lowering")
    if lowering is not None and operator not in lowering.lowerings:
        lowering.make_fallback(operator, layout_constraint=lowering.constrain_to_fake_tensors, warn=False)
