"""Every plug-in of every kind has the shape that its kind promises; a new one is covered at once."""

import ast

import pytest

from lsbench.core import registry
from lsbench.testing.options import KINDS, registry_of
from lsbench.testing.test_every_kind import *  # noqa: F403 - every promise is tested here

#: Kinds that lie in folders of lsbench: the others come from other packages alone, or are a library.
FOLDERS = [kind for kind in KINDS if kind not in ("model", "corruption")]
ALL = [(registry_of(kind), name) for kind in FOLDERS for name in registry_of(kind).own_names()]


@pytest.fixture(params=FOLDERS)
def plugins(request):
    return request.param, registry_of(request.param).own_names()


def source(kind, name):
    path = registry.PACKAGE_ROOT.joinpath(*kind.package.split(".")[1:], f"{name}.py")
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("kind", "name"), ALL, ids=lambda value: getattr(value, "kind", value))
class TestPlugin:
    def test_its_file_assigns_one_constant_and_says_what_it_is(self, kind, name):
        tree = source(kind, name)
        assigned = [
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        assert assigned.count(kind.attribute) == 1
        title = kind.title(name)
        assert title == (ast.get_docstring(tree) or "").splitlines()[0]
        assert title.endswith((".", ":", ")")) or title[0].isupper()

    def test_it_imports_no_other_plugin_of_its_kind(self, kind, name):
        imported = {
            node.module
            for node in ast.walk(source(kind, name))
            if isinstance(node, ast.ImportFrom) and node.module
        }
        others = {f"{kind.package}.{other}" for other in kind.names() if other != name}
        assert not imported & others
