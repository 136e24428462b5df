import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location

from lsbench.core.entry_points import (
    describe_entry,
    first_docstring_line,
    import_module,
    literal_constant,
    load_object,
    outside_plugins,
    package_of,
    source_file,
    source_tree,
)

SOURCE = '''"""A module."""

NAMES: tuple[str, ...] = ("a", "b")
TOLD = tuple(NAMES)


class Thing:
    """A thing.

    More of it.
    """

    inner = 3


def bare():
    return 1
'''


def entries(install, **values):
    install(
        {"acme.__init__": "raise RuntimeError('imported')", "acme.deep.thing": SOURCE}, {"lsbench.x": values}
    )
    return {name: found[0] for name, found in outside_plugins("lsbench.x").items()}


def test_source_is_read_without_importing_the_packages_around_it(install):
    found = entries(
        install, whole="acme.deep.thing", part="acme.deep.thing:Thing", bare="acme.deep.thing:bare"
    )
    assert first_docstring_line(found["whole"]) == "A module."
    assert first_docstring_line(found["part"]) == "A thing."
    assert first_docstring_line(found["bare"]) == "A module."
    assert literal_constant(found["whole"], "NAMES") == ("a", "b")
    assert literal_constant(found["whole"], "TOLD") is None
    assert literal_constant(found["whole"], "GONE") is None
    assert not [name for name in sys.modules if name.partition(".")[0] == "acme"]


def test_without_a_source_there_is_no_docstring(install):
    found = entries(install, gone="acme.gone", top="no_such_package.x", built="math")
    assert [first_docstring_line(entry) for entry in found.values()] == ["", "", ""]
    assert source_tree(found["built"]) is None


def test_an_entry_point_may_name_a_part_of_an_object_or_a_module_in_its_package(install):
    install(
        {"plain.__init__": "from plain import thing", "plain.thing": SOURCE},
        {"lsbench.x": {"inner": "plain.thing:Thing.inner", "module": "plain:thing"}},
    )
    found = {name: entry[0] for name, entry in outside_plugins("lsbench.x").items()}
    assert load_object(found["inner"], "thing", "THING") == 3
    assert load_object(found["module"], "thing", "NAMES") == ("a", "b")
    assert import_module(found["module"], "thing").__name__ == "plain.thing"


def test_an_entry_point_is_described_with_its_package(install):
    [entry] = entries(install, whole="acme.deep.thing").values()
    assert package_of(entry) == "acme-plugin 0.1"
    assert describe_entry(entry) == "entry point lsbench.x: whole = acme.deep.thing of acme-plugin 0.1"


def test_the_file_of_a_module_is_found_where_an_editable_install_maps_it(tmp_path, monkeypatch):
    (tmp_path / "mixer.py").write_text("")

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "acme":
                spec = ModuleSpec(name, None, is_package=True)
                spec.submodule_search_locations = ["__editable__.acme.__path_hook__"]
                return spec
            return spec_from_file_location(name, tmp_path / "mixer.py") if name == "acme.mixer" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert source_file("acme.mixer") == tmp_path / "mixer.py"
    assert source_file("acme.gone") is None
