"""Runs the GPU tests of SKA where only torch, timm, triton and ray are installed: no pytest, and no lsbench.

    python tests/gpu_alone.py [WORD ...]

From the root of a checkout, for a machine that can install nothing. It takes the tests marked ``gpu`` of the
modules below (those whose name has one of the words), runs each with its parameters and fixtures, and ends
with status 1 if one fails. ``--list`` only names them. What lsbench itself needs beyond these is left out.
"""

import importlib.util
import inspect
import itertools
import sys
import time
import traceback
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = ("test_ska_triton",)
FOLDER = ROOT / "tests" / "unit" / "models" / "ops"


class Marks:
    """Stands in for ``pytest.mark``: notes on a function that it is for a GPU, and its parameters."""

    def __getattr__(self, name):
        def mark(function):
            function.marks = {*getattr(function, "marks", ()), name}
            return function

        return mark

    @staticmethod
    def parametrize(names, values, ids=None):
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)

        def mark(function):
            rows = [dict(zip(names, value if len(names) > 1 else (value,), strict=True)) for value in values]
            function.rows = [*getattr(function, "rows", []), rows]
            return function

        return mark


def fixture(function=None, *, name=None, scope=None):
    """Stand in for ``pytest.fixture``."""

    def mark(function):
        function.fixture = name or function.__name__
        return function

    return mark if function is None else mark(function)


def stand_in():
    """Put what the tests import of pytest, and an empty package of models, in the place of both."""
    sys.path.insert(0, str(ROOT))
    pytest = types.ModuleType("pytest")
    pytest.mark, pytest.fixture = Marks(), fixture
    pytest.param = lambda *values, marks=None, id=None: values if len(values) > 1 else values[0]
    sys.modules["pytest"] = pytest
    models = types.ModuleType("lsbench.models")
    models.__path__ = [str(ROOT / "lsbench" / "models")]
    sys.modules["lsbench.models"] = models


def load(name):
    """Return a module of tests or fixtures."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cases():
    """Yield name, function, parameters and fixtures of each GPU test."""
    for name in MODULES:
        known = vars(load(name))
        fixtures = {f.fixture: f for f in known.values() if hasattr(f, "fixture")}
        for function in known.values():
            if "gpu" not in getattr(function, "marks", ()):
                continue
            for rows in itertools.product(*getattr(function, "rows", [])):
                values = {key: value for row in rows for key, value in row.items()}
                label = ", ".join(str(value) for value in values.values())
                yield f"{name}::{function.__name__}[{label}]", function, values, fixtures


def call(function, values, fixtures):
    """Call a test or fixture with its parameters, and the results of the fixtures that it names."""
    names = inspect.signature(function).parameters
    taken = {name: values[name] if name in values else call(fixtures[name], {}, fixtures) for name in names}
    return function(**taken)


def main(words):
    """Run the tests; return the exit status."""
    stand_in()
    found = [case for case in cases() if not words or any(word in case[0] for word in words)]
    import torch

    if not torch.cuda.is_available():
        print(f"{len(found)} tests need a GPU, and torch sees none")
        return 2
    failed = 0
    for name, function, values, fixtures in found:
        started = time.perf_counter()
        try:
            call(function, values, fixtures)
        except Exception:  # noqa: BLE001 - the others run all the same
            failed += 1
            traceback.print_exc()
        print(f"{name}: {time.perf_counter() - started:.1f} s", flush=True)
    print(f"{len(found) - failed} of {len(found)} tests passed")
    return int(failed > 0)


if __name__ == "__main__":
    if "--list" in sys.argv:
        stand_in()
        print(*(case[0] for case in cases()), sep="\n")
    else:
        sys.exit(main(sys.argv[1:]))
