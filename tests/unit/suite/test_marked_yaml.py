import pytest

from lsbench.core.errors import ConfigError
from lsbench.suite.marked_yaml import Line, MarkedDict, line_of, merge, read_yaml


@pytest.fixture
def read(tmp_path):
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
        ("a: !!python/object:os.system x\n", r":1: not valid YAML: could not determine a constructor"),
        ("a: &x [*x]\n", r":1: not valid YAML: "),
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


def test_keys_are_what_is_written(tmp_path):
    path = tmp_path / "suite.yaml"
    path.write_text("on: imagenet_a\nno: 1\n'off': on\n2: x\n")
    assert read_yaml(path) == {"on": "imagenet_a", "no": 1, "off": True, "2": "x"}


def test_a_setting_may_be_called_on(read):
    data = read("a: {on: yes}\nevaluate:\n  on: imagenet_a\n  no: off\n  8: x\n")
    assert data == {"a": {"on": True}, "evaluate": {"on": "imagenet_a", "no": False, "8": "x"}}
    assert line_of(data, ["evaluate", "on"]) == 3
