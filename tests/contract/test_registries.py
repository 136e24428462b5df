"""Every plug-in of every kind has the shape that its kind promises; a new one is covered at once."""

import ast

import pytest

from lsbench.core import registry
from lsbench.core.registry import ANALYSES, DATASETS, JOBS, LOGGERS, METRICS, MIXERS, PROBES, REPORTS

ALL = [
    (plugins, name)
    for plugins in (MIXERS, JOBS, DATASETS, METRICS, PROBES, ANALYSES, LOGGERS, REPORTS)
    for name in plugins.names()
]
TORCH_FREE = {JOBS, DATASETS, METRICS, PROBES, LOGGERS, REPORTS}
HEAVY = {"torch", "torchvision", "timm", "ray"}


def source(plugins, name):
    path = registry.PACKAGE_ROOT.joinpath(*plugins.package.split(".")[1:], f"{name}.py")
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("plugins", "name"), ALL, ids=lambda value: getattr(value, "kind", value))
class TestPlugin:
    def test_it_loads(self, plugins, name):
        assert plugins.load(name) is not None

    def test_its_file_assigns_one_constant_and_says_what_it_is(self, plugins, name):
        tree = source(plugins, name)
        assigned = [
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        assert assigned.count(plugins.attribute) == 1
        title = plugins.title(name)
        assert title == (ast.get_docstring(tree) or "").splitlines()[0]
        assert title.endswith((".", ":", ")")) or title[0].isupper()

    def test_it_imports_no_other_plugin_of_its_kind(self, plugins, name):
        imported = {
            node.module
            for node in ast.walk(source(plugins, name))
            if isinstance(node, ast.ImportFrom) and node.module
        }
        others = {f"{plugins.package}.{other}" for other in plugins.names() if other != name}
        assert not imported & others

    def test_it_imports_nothing_heavy_at_the_top_unless_it_is_torch_code(self, plugins, name):
        if plugins not in TORCH_FREE:
            return
        heads = set()
        for node in source(plugins, name).body:
            if isinstance(node, ast.Import):
                heads |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                heads.add((node.module or "").split(".")[0])
        assert not heads & HEAVY
