import json

from lsbench.core.plugin_code import own_module_files
from lsbench.core.same_numbers import (
    declare,
    gives_same_numbers,
    is_checkout,
    read_groups,
    undeclared,
    write_groups,
)

GROUPS = {"a.py": [["1", "2"], ["3", "4"]]}


def test_every_change_of_code_that_computes_numbers_is_declared():
    left = sorted(undeclared(read_groups(), own_module_files()))
    assert left == [], (
        "run `python -m lsbench.cli.same_numbers same FILE...` if the numbers are those of before, else "
        "`... changed FILE...`, and commit lsbench/core/same_numbers.json"
    )


def test_hashes_of_one_group_give_the_same_numbers():
    pairs = [("1", "2"), ("2", "1"), ("3", "4"), ("1", "3"), ("2", "4"), ("1", "unknown"), ("9", "9")]
    found = [gives_same_numbers(GROUPS, "a.py", *pair) for pair in pairs]
    assert found == [True, True, True, False, False, False, True]


def test_a_result_without_a_hash_is_of_the_first_group():
    found = [gives_same_numbers(GROUPS, "a.py", None, now) for now in ("1", "2", "3", "9")]
    assert found == [True, True, False, False]
    assert not gives_same_numbers({}, "new.py", None, "1")


def test_a_declaration_joins_the_last_group_or_begins_one():
    same = declare(GROUPS, {"a.py": "5", "b.py": "1"}, are_same=True)
    assert same == {"a.py": [["1", "2"], ["3", "4", "5"]], "b.py": [["1"]]}
    assert declare(GROUPS, {"a.py": "5"}, are_same=False) == {"a.py": [["1", "2"], ["3", "4"], ["5"]]}
    assert declare(GROUPS, {"a.py": "4"}, are_same=False) == GROUPS
    assert undeclared(same, {"a.py": "4", "b.py": "2", "c.py": "1"}) == {"b.py": "2", "c.py": "1"}


def test_the_file_has_one_line_for_each_file_so_that_branches_merge(tmp_path):
    path = tmp_path / "groups.json"
    write_groups({"b.py": [["1"]], **GROUPS}, path)
    assert path.read_text().splitlines()[1:3] == [' "a.py": [["1", "2"], ["3", "4"]],', ' "b.py": [["1"]]']
    assert read_groups(path) == json.loads(path.read_text())


def test_a_checkout_is_told_from_an_installed_release(tmp_path):
    assert is_checkout()
    package = tmp_path / "lsbench"
    assert not is_checkout(package)
    for text, expected in (
        ('[project]\nname = "lsbench"', True),
        ('[project]\nname = "acme"', False),
        ("[", False),
    ):
        (tmp_path / "pyproject.toml").write_text(text)
        is_checkout.cache_clear()
        assert is_checkout(package) is expected
    is_checkout.cache_clear()
