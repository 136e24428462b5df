"""The files that a plug-in's code reaches; none of the packages can be imported, as each raises an error."""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location

import pytest

from lsbench.core.imports import read_facts
from lsbench.core.module_files import forget_changed
from lsbench.core.reach import ImportWalk, home_of


@pytest.fixture
def package(install):
    """Install modules that no one may import; return what is reached from a module."""

    def add(modules, *, plugins=()):
        install({name: f"{text}\nraise RuntimeError" for name, text in modules.items()}, {})
        forget_changed()

        def reached(module="acme.mixer"):
            reach = ImportWalk(frozenset(plugins) - {module})
            reach.follow(module)
            assert not [name for name in sys.modules if name.partition(".")[0] == "acme"]
            return {name.removeprefix("acme/").removesuffix(".py") for name in reach.files}

        return reached

    return add


@pytest.mark.parametrize(
    "line",
    [
        "import acme.ops",
        "import acme.ops as ops",
        "from acme import ops",
        "from acme.ops import shift",
        "from . import ops",
        "from .ops import shift as s",
        "from .ops import *",
        "def f():\n    from .ops import shift",
        "try:\n    from .ops import shift\nexcept ImportError:\n    shift = None",
        "if True:\n    import torch, acme.ops",
        "class A:\n    from .ops import shift",
        "import importlib\nops = importlib.import_module('acme.ops')",
        "from importlib import import_module\nops = import_module('.ops', __package__)",
        "from importlib import import_module\nops = import_module('.ops', package='acme')",
        "ops = __import__('acme.ops').ops",
    ],
)
def test_an_import_of_any_form_is_followed(package, line):
    reached = package({"acme.__init__": "", "acme.ops": "", "acme.other": "", "acme.mixer": line})
    assert reached() == {"__init__", "mixer", "ops"}


@pytest.mark.parametrize(
    "line",
    [
        "import torch",
        "from os import path",
        "import acme_other.ops",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .ops import shift",
        "from .gone import shift",
        "from ...beyond import shift",
        "name = 'ops'",
        "import_module('acme.' + name)",
        "import_module()",
        "import_module('...ops', 'acme')",
        "table.import_module(5, 'acme.ops')",
    ],
)
def test_nothing_else_is_followed(package, line):
    assert package({"acme.__init__": "", "acme.ops": "", "acme.mixer": line})() == {"__init__", "mixer"}


def test_relative_imports_start_at_the_package_of_the_file(package):
    reached = package(
        {
            "acme.__init__": "",
            "acme.deep.__init__": "",
            "acme.deep.mixer": "from ..ops import shift\nfrom .near import x",
            "acme.deep.near": "from . import further",
            "acme.deep.further": "from .. import last",
            "acme.ops": "",
            "acme.last": "",
            "acme.deep.ops": "",
        }
    )
    expected = {"__init__", "ops", "last", "deep/__init__", "deep/mixer", "deep/near", "deep/further"}
    assert reached("acme.deep.mixer") == expected


def test_circles_end(package):
    reached = package(
        {
            "acme.__init__": "from .mixer import x\nfrom . import circle",
            "acme.mixer": "from .ops import x",
            "acme.ops": "from acme import circle, y",
            "acme.circle": "from acme import circle, z\nfrom .mixer import *",
        }
    )
    assert reached() == {"__init__", "mixer", "ops", "circle"}


def test_a_name_is_followed_through_the_packages_that_offer_it_again(package):
    reached = package(
        {
            "acme.__init__": "from .inner import Shift, Other",
            "acme.inner.__init__": "from .shift import Base as Shift\nfrom .other import Other",
            "acme.inner.shift": "from ..tables import SIZE",
            "acme.inner.other": "",
            "acme.tables": "",
            "acme.mixer": "from acme import Shift",
        },
        plugins=["acme.mixer", "acme.inner.other"],
    )
    assert reached() == {"__init__", "mixer", "inner/__init__", "inner/shift", "tables"}


def test_other_plugins_that_a_package_collects_are_passed_by_unless_they_are_used(package):
    modules = {
        "acme.__init__": "VERSION = '1'\nfrom .mixers import *\nfrom . import patches",
        "acme.mixers.__init__": "from .a import A\nfrom .b import B\nfrom .c import C",
        "acme.mixers.a": "from acme import VERSION",
        "acme.mixers.b": "from .a import A",
        "acme.mixers.c": "from acme.mixers import A",
        "acme.patches": "",
    }
    reached = package(modules, plugins=["acme.mixers.a", "acme.mixers.b", "acme.mixers.c"])
    around = {"__init__", "mixers/__init__", "patches"}
    assert reached("acme.mixers.a") == around | {"mixers/a"}
    assert reached("acme.mixers.b") == around | {"mixers/a", "mixers/b"}
    assert reached("acme.mixers.c") == around | {"mixers/a", "mixers/c"}


def test_a_name_of_unknown_origin_reaches_all_that_its_package_imports(package):
    modules = {
        "acme.__init__": "from .a import *\nfrom .b import B\ndef made(): return B",
        "acme.a": "",
        "acme.b": "",
        "acme.mixer": "from . import made",
    }
    assert package(modules, plugins=["acme.b"])() == {"__init__", "mixer", "a", "b"}


def test_all_of_a_package_includes_the_modules_that_it_names(package):
    modules = {
        "acme.__init__": "",
        "acme.ops.__init__": "__all__ = ['shift']",
        "acme.ops.shift": "",
        "acme.ops.other": "",
        "acme.mixer": "from .ops import *",
    }
    assert package(modules)() == {"__init__", "mixer", "ops/__init__", "ops/shift"}


@pytest.mark.parametrize(
    "text", ["KERNEL = 5", "from ..other import KERNEL\nKERNEL += 4", "from ..other import KERNEL"]
)
@pytest.mark.parametrize("line", ["from .config import KERNEL", "from acme.config import KERNEL as K"])
def test_a_package_is_reached_of_which_only_a_name_is_used(package, line, text):
    reached = package(
        {
            "acme.__init__": "",
            "acme.other": "KERNEL = 5",
            "acme.config.__init__": text,
            "acme.mixer": line,
        }
    )
    assert reached() - {"other"} == {"__init__", "config/__init__", "mixer"}


def test_a_package_may_lack_its_init_file(package):
    assert package({"acme.ops.shift": "", "acme.mixer": "from .ops.shift import x"})() == {
        "mixer",
        "ops/shift",
    }


def test_modules_side_by_side_in_a_source_folder_are_one_package(package):
    modules = {
        "acme": "import acme_ops, json\nfrom lsbench.core import ids",
        "acme_ops": "from acme_more import x",
    }
    assert package({**modules, "acme_more.__init__": ""})("acme") == {
        "acme",
        "acme_ops",
        "acme_more/__init__",
    }


@pytest.mark.parametrize("folder", ["site-packages", "target"])
def test_modules_side_by_side_among_installed_packages_are_strangers(tmp_path, monkeypatch, folder):
    site = tmp_path / folder
    for name in ("acme-1", "stranger-1"):  # as pip installs them, into whatever folder
        (site / f"{name}.dist-info").mkdir(parents=True)
    (site / "acme.py").write_text("import acme_stranger\nraise RuntimeError")
    (site / "acme_stranger.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(site)
    forget_changed()
    reach = ImportWalk(frozenset())
    reach.follow("acme")
    forget_changed()
    assert set(reach.files) == {"acme.py"}


def test_modules_are_found_where_an_editable_install_maps_them(tmp_path, monkeypatch):
    """As setuptools does for a namespace package, whose modules lie in any folder."""
    source = tmp_path / "src" / "mixers"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("from .big import Big\nraise RuntimeError")
    (source / "big.py").write_text("from acme.ops import shift\nraise RuntimeError")
    (tmp_path / "ops_file.py").write_text("raise RuntimeError")
    mapping = {"acme.mixers": source / "__init__.py", "acme.ops": tmp_path / "ops_file.py"}

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "acme":
                spec = ModuleSpec(name, None, is_package=True)
                spec.submodule_search_locations = ["__editable__.acme.__path_hook__"]
                return spec
            return spec_from_file_location(name, mapping[name]) if name in mapping else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    forget_changed()
    reach = ImportWalk(frozenset())
    reach.follow(home_of("acme.mixers", "Big"))
    forget_changed()
    assert sorted(reach.files) == ["acme/mixers/__init__.py", "acme/mixers/big.py", "acme/ops.py"]


def test_a_single_module_is_its_own_package(package):
    assert package({"acme": "import json\nfrom acme_other import x"})("acme") == {"acme"}


def test_a_compiled_module_is_reached_under_a_name_without_the_machine(install):
    from importlib.machinery import EXTENSION_SUFFIXES

    site = install({"acme.__init__": "", "acme.mixer": "from . import fast"}, {})
    (site / "acme" / f"fast{EXTENSION_SUFFIXES[0]}").write_bytes(b"\x7fELF")
    forget_changed()
    reach = ImportWalk(frozenset())
    reach.follow("acme.mixer")
    assert sorted(reach.files) == ["acme/__init__.py", "acme/fast.so", "acme/mixer.py"]


def test_the_home_of_an_object_is_the_module_that_defines_it(package):
    package(
        {
            "acme.__init__": "from .mixers import A, local\nfrom . import mixers as m\nclass Own: ...",
            "acme.mixers.__init__": "from .a import Real as A",
            "acme.mixers.a": "",
        }
    )
    assert home_of("acme", "A") == "acme.mixers.a"
    assert home_of("acme", "A.inner") == "acme.mixers.a"
    assert home_of("acme", "m") == "acme.mixers"
    assert home_of("acme", "Own") == "acme"
    assert home_of("acme.mixers.a", "") == "acme.mixers.a"
    assert home_of("acme.gone", "A") == "acme.gone"


def test_a_file_that_many_walks_reach_is_read_once_and_afresh_on_demand(install, monkeypatch):
    shared = {"acme.__init__": "", "acme.one": "from . import ops", "acme.two": "from . import ops"}
    site = install({**shared, "acme.ops": "x = 1"}, {})
    read = []

    def count(file):
        read.append(file)
        return read_facts(file)

    monkeypatch.setattr("lsbench.core.module_files.read_facts", count)

    def hash_of_ops():
        walks = [ImportWalk(frozenset()) for _ in range(2)]
        for walk, name in zip(walks, ("one", "two"), strict=True):
            walk.follow(f"acme.{name}")
        [found] = {walk.files["acme/ops.py"] for walk in walks}
        return found

    forget_changed()
    before = hash_of_ops()
    assert len(read) == len(set(read)) == 4
    (site / "acme" / "ops.py").write_text("x = 2")
    forget_changed()
    assert hash_of_ops() != before
