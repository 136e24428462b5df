"""Contract of every plug-in, for all kinds."""

from __future__ import annotations

import subprocess
import sys

from lsbench.testing.options import registry_of

HEAVY = ("torch", "torchvision", "timm", "ray")
#: Kinds that must declare their quantities.
MEASURING = ("metric", "probe", "analysis")

Plugins = tuple[str, list[str]]


def test_it_is_what_its_kind_promises(plugins: Plugins) -> None:
    kind, names = plugins
    registry = registry_of(kind)
    for name in names:
        if kind == "model":
            from lsbench.models.outside import problems_of

            assert problems_of([f"model={name}"]) == []
        else:
            assert registry.promise.broken_by(registry.load(name)) is None


def test_its_docstring_says_what_it_is_in_one_line(plugins: Plugins) -> None:
    kind, names = plugins
    for name in names:
        title = registry_of(kind).title(name)
        assert title, f"{kind} '{name}' needs a docstring: its first line is what `lsbench list` shows"
        assert len(title) <= 110


def test_importing_it_imports_no_torch_where_suites_are_planned(plugins: Plugins) -> None:
    kind, names = plugins
    if not registry_of(kind).is_light:
        return
    code = (
        "import sys; from lsbench.testing.options import registry_of\n"
        f"[registry_of({kind!r}).load(name) for name in {names!r}]\n"
        f"print(*(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = done.stdout.strip()
    assert found == "", f"import {found} inside the functions that need it: plans and reports import {names}"


def test_what_measures_declares_its_quantities(plugins: Plugins) -> None:
    kind, names = plugins
    if kind not in MEASURING:
        return
    for name in names:
        declared = getattr(registry_of(kind).module(name), "QUANTITIES", None)
        assert declared is not None, (
            f"{kind} '{name}': declare QUANTITIES, so that reports know title and unit"
        )
        assert len({quantity.name for quantity in declared}) == len(declared)
        assert all(quantity.title and quantity.unit for quantity in declared if quantity.name != "lr")
