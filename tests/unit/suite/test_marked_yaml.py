import ast
import time
from pathlib import Path

import pytest
import yaml

from lsbench.core.errors import ConfigError, UsageError
from lsbench.core.registry import PACKAGE_ROOT
from lsbench.suite import marked_yaml
from lsbench.suite.marked_yaml import Line, MarkedDict, line_of, merge, read_value, read_yaml, to_yaml


@pytest.fixture(params=["libyaml", "without libyaml"])
def parser(request, monkeypatch):
    """Read with both parsers."""
    if request.param == "without libyaml":
        monkeypatch.setattr(marked_yaml, "LOADER", marked_yaml._PureLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")


@pytest.fixture
def read(tmp_path, parser):
    def read_text(text):
        path = tmp_path / "s.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_yaml(path)

    return read_text


TEXT = "a: 1\nb:\n  - x\n  - c: 2\n    d: 3\n"


def test_every_key_and_item_knows_its_line(read):
    data = read(TEXT)
    assert data == {"a": 1, "b": ["x", {"c": 2, "d": 3}]}
    assert [line_of(data, where) for where in (["a"], ["b"], ["b", 0], ["b", 1], ["b", 1, "d"])] == [
        1,
        2,
        3,
        4,
        5,
    ]


def test_a_line_knows_its_file(read, tmp_path):
    line = line_of(read(TEXT), ["b", 1])
    assert isinstance(line, Line)
    assert (line, line.file) == (4, str(tmp_path / "s.yaml"))


def test_a_place_that_does_not_exist_has_the_line_of_its_nearest_parent(read):
    data = read(TEXT)
    assert line_of(data, ["b", 1, "nothing", "here"]) == 4
    assert line_of(data, ["b", 9]) == 2
    assert line_of(data, ["z"]) == 1
    assert line_of(None, ["z"]) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1\nb: 2\n", r":2: not valid YAML: "),
        ("a: 1\n\tb: 2\n", r":2: not valid YAML: "),
        ("a: !!python/object:os.system x\n", r":1: a: the tag !!python/object:os.system is not supported"),
        ("a: &x [*x]\n", r":1: not valid YAML: an alias stands inside of what it repeats"),
        ("\na: !!int foo\n", r":2: a: foo is not a value of the tag !!int"),
        ("a: !!set {x}\n", r":1: the tag !!set is not supported"),
        ("a: {[1]: 2}\n", r":1: expected a plain name as key"),
        (
            "\n\na: [1, yes]\nb: 010\n",
            r":3: a: yes: expected true, or 'yes' in quotes.*\n.*:4: b: 010: expected",
        ),
        ("a:\n - 9" + "9" * 5000, r":2: a: 9+\.\.\.: expected a number of at most 64 bits"),
        ('a: "\\e[31m"\n', r":1: a: \\x1b\[31m: the character U\+001B"),
        ('"a\\u202E": 1\n', r":1: a\\u202e: the character U\+202E"),
        ("a: " + "{a: " * 60 + "1" + "}" * 60, r":1: not valid YAML: nested deeper than 50 levels"),
        ("a: 1\n---\nb: 2\n", r":2: not valid YAML: but found another document"),
        (
            "a: 1\nb: {c: 1, c: 2}\na: 3\n",
            r":2: c: this key is given twice\n.*:3: a: this key is given twice",
        ),
        ("", r":1: expected a mapping .*found an empty file"),
        ("# only this\n", r"found an empty file"),
        ("- a\n", r":1: expected a mapping .*found a list"),
        ("word\n", r"found a str"),
        (b"\xff\xfe\x00", r"cannot be read"),
        (b"a: \x00\n", r":1: not valid YAML"),
        ("[" * 2000, r"not valid YAML"),
    ],
)
def test_a_broken_file_is_one_clear_problem(read, text, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        read(text)
    assert all("s.yaml:" in problem for problem in caught.value.problems)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        read_yaml(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("content", "found"),
    [("a: 1".encode("utf-16"), "0xff at position 0"), (b"a: \xe9", "0xe9 at position 3")],
)
def test_a_file_of_another_encoding_is_one_line(content, found, tmp_path):
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"a\.yaml: cannot be read: byte {found} is not UTF-8; save"):
        read_yaml(tmp_path / "a.yaml")


def test_merging_lays_mappings_over_each_other_and_keeps_lines(read):
    base = read("a: {x: 1, y: [1, 2]}\nb: 1\n")
    over = read("\n\na:\n  y: [3]\n  z: 4\n")
    merged = merge(base, over)
    assert merged == {"a": {"x": 1, "y": [3], "z": 4}, "b": 1}
    assert [line_of(merged, w) for w in (["a", "x"], ["a", "y"], ["a", "z"], ["b"])] == [1, 4, 5, 2]
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    assert merge(base, 3) == 3
    assert isinstance(merged["a"], MarkedDict)


def test_merge_keys_are_refused_with_their_line(tmp_path):
    path = tmp_path / "suite.yaml"
    path.write_text("version: 1\ndefaults: &a {model: x}\nvariants:\n  - <<: *a\n")
    with pytest.raises(ConfigError, match=r":4: <<: merge keys are not supported"):
        read_yaml(path)


def test_keys_are_what_is_written(read):
    data = read("on: imagenet_a\nno: 1\n'off': true\n2: x\n010: y\n'<<': z\n")
    assert data == {"on": "imagenet_a", "no": 1, "off": True, "2": "x", "010": "y", "<<": "z"}


def test_a_setting_may_be_called_on(read):
    data = read("a: {on: true}\nevaluate:\n  on: imagenet_a\n  no: false\n  8: x\n")
    assert data == {"a": {"on": True}, "evaluate": {"on": "imagenet_a", "no": False, "8": "x"}}
    assert line_of(data, ["evaluate", "on"]) == 3


def test_values_are_plain_texts_and_numbers(read):
    text = "a: 1e-3\nb: 2025-02-30\nc: !!str 8\nd: '010'\ne: |\n  two\n  lines\nf: 1e3\nh:\n"
    assert read(text) == {
        **{"a": 0.001, "b": "2025-02-30", "c": "8", "d": "010", "e": "two\nlines\n", "f": 1000.0},
        **{"h": None},
    }


def test_each_use_of_an_alias_is_a_value_of_its_own(read):
    data = read("a: &x {b: 1}\nc: *x\n")
    data["a"]["b"] = 2
    assert data["c"] == {"b": 1}


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
        ),
        "a: [" + "1," * 100_001 + "]\n",
    ],
    ids=["aliases", "list"],
)
def test_the_number_of_values_is_bounded(text, read):
    started = time.process_time()
    with pytest.raises(
        ConfigError, match=r"s\.yaml:\d+: not valid YAML: more than 100000 values, aliases included"
    ):
        read(text)
    assert time.process_time() - started < 30


def test_the_size_is_bounded(read):
    assert read("a: 1\n#" + "x" * (2**20 - 6)) == {"a": 1}
    with pytest.raises(ConfigError, match=r"s\.yaml: more than 1 MiB: write a shorter file"):
        read("a: 1\n#" + "x" * (2**20 - 5))


def test_libyaml_is_used_where_it_is():
    assert (marked_yaml.LOADER is marked_yaml._PureLoader) is not yaml.__with_libyaml__


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("[1, a]", [1, "a"]), ("{lr: 1e-3}", {"lr": 0.001}), ("", None), ("a: b", {"a": "b"})],
)
def test_a_value_of_the_command_line_has_no_line(text, value, parser):
    found = read_value(text, "--set a=x")
    assert found == value
    assert set(getattr(found, "lines", {}).values() if isinstance(value, dict) else []) <= {0}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1", "not valid YAML: "),
        ("yes", "yes: expected true"),
        ("0b_", "0b_: expected a decimal number"),
        ("!!int foo", "foo is not a value of the tag !!int"),
        ("!!bool foo", "foo is not a value of the tag !!bool"),
        ("9" * 5000, "expected a number of at most 64 bits"),
        ("{a: 1, a: 2}", "a: this key is given twice"),
        ("[" * 3000, "not valid YAML"),
        ('"\\x1b"', "the character U+001B"),
        ("\x1b", "not valid YAML: unacceptable character"),
    ],
)
def test_a_bad_value_of_the_command_line_is_one_line(text, reason, parser):
    with pytest.raises(UsageError) as caught:
        read_value(text, "--set a=x")
    assert str(caught.value).startswith("--set a=x: ")
    assert reason in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


WRITTEN = [
    "1e-3",
    "yes",
    "010",
    "1:30",
    "null",
    "",
    "a: b",
    "- a",
    "8",
    "2025-02-30",
    "a\nb",
    "é",
    "=",
    "true",
    "#a",
]


def test_what_is_written_is_read_back_as_the_same(read):
    content = {
        "texts": WRITTEN,
        "numbers": [1, 1e-5, 0.5, 1e300, True, None],
        **dict.fromkeys(WRITTEN[:4], 1),
    }
    assert read(to_yaml(content)) == content
    assert yaml.safe_load(to_yaml(content)) == content


def test_no_other_module_reads_or_writes_yaml():
    """One way in: a second one would read numbers by other rules."""
    found = {
        str(path.relative_to(PACKAGE_ROOT))
        for path in Path(PACKAGE_ROOT).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and "yaml" in [getattr(node, "module", None), *(alias.name for alias in node.names)]
    }
    own = {"tables/one_job.py"}  # of suites as `to_yaml` wrote them: it quotes what any reader could mistake
    assert found - own == {"suite/marked_yaml.py"}
