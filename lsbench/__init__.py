"""lsbench: benchmark and ablation suites for lightweight vision backbones."""

import importlib
from typing import Any

__version__ = "0.1.0"

#: Public names that are imported when they are used, and where they are.
_LAZY = {"load_table": "lsbench.tables.frames.notebook"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'lsbench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
