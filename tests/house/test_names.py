"""Every name of lsbench that a test or a benchmark uses exists, even where only a GPU would tell."""

import ast
import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


def test_what_tests_and_benchmarks_name_exists():
    assert len(FILES) > 400
    missing = {str(path.relative_to(ROOT)): missing_names(path.read_text()) for path in FILES}
    assert {path: names for path, names in missing.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from lsbench.core import errors\nerrors.ConfigError", []),
        ("from lsbench.core import errors\nerrors.Gone", ["2: lsbench.core.errors.Gone"]),
        ("from lsbench.core.errors import Gone", ["1: lsbench.core.errors.Gone"]),
        ("import lsbench.core.gone", ["1: lsbench.core.gone"]),
        ("import lsbench.core.errors as e\ndef f():\n    return e.Gone", ["3: lsbench.core.errors.Gone"]),
        ("from lsbench.core import errors\ndef f(errors):\n    return errors.Gone", []),
        ("from lsbench.core import errors\nf = lambda errors: errors.Gone", []),
        (
            "def f():\n    from lsbench.core import errors\n    return errors.Gone",
            ["3: lsbench.core.errors.Gone"],
        ),
        ("from lsbench.core import errors\nerrors.new = 1", []),
        ("try:\n    import lsbench.gone\nexcept ImportError:\n    import lsbench.older", []),
        ("from lsbench.testing.test_job import *\nimport os\nos.gone", []),
    ],
)
def test_a_name_that_is_gone_is_found(source, expected):
    assert missing_names(source) == expected


def missing_names(source: str) -> list[str]:
    """List line and name of everything that the source takes from lsbench and lsbench has not."""
    names = Names()
    names.visit(ast.parse(source))
    return names.missing


class Names(ast.NodeVisitor):
    """Follow what each name of a source stands for: a module of lsbench, or something else (None)."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.scopes: list[dict[str, ModuleType | None]] = [{}]

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.Try) and any(
            "ImportError" in ast.dump(h.type) for h in node.handlers if h.type
        ):
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                found = self.take(node.lineno, alias.name)
                self.scopes[-1][alias.asname or alias.name] = found if alias.asname else None
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                self.scopes[-1][alias.asname or alias.name] = self.take(node.lineno, node.module, alias.name)
        elif isinstance(node, ast.Attribute):
            self.check(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            self.generic_visit(node)
            return
        bound = {child.arg for child in ast.walk(node.args) if isinstance(child, ast.arg)}
        bound |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.scopes.append(dict.fromkeys(bound))
        self.generic_visit(node)
        self.scopes.pop()

    def check(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
            scope = next((scope for scope in reversed(self.scopes) if node.value.id in scope), {})
            module = scope.get(node.value.id)
            if module and not hasattr(module, node.attr):
                self.missing.append(f"{node.lineno}: {module.__name__}.{node.attr}")

    def take(self, line: int, module: str | None, name: str = "") -> ModuleType | None:
        """Import what a statement asks for; None is what is no module of lsbench."""
        if not module or module.split(".", maxsplit=1)[0] != "lsbench":
            return None
        try:
            found = importlib.import_module(module)
            if name and name != "*" and not hasattr(found, name):
                importlib.import_module(f"{module}.{name}")
        except ModuleNotFoundError:
            self.missing.append(f"{line}: {'.'.join(filter(None, [module, name]))}")
            return None
        found = getattr(found, name, None) if name else found
        return found if isinstance(found, ModuleType) else None
