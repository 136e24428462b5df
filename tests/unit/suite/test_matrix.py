import pytest

from lsbench.core.errors import ConfigError
from lsbench.suite.loader import load_suite
from lsbench.suite.marked_yaml import MarkedDict, read_yaml
from lsbench.suite.matrix import MAX_ROWS
from lsbench.suite.matrix import expand_variants as expand
from lsbench.suite.problems import Problems


def expand_variants(entries):
    problems = Problems("s.yaml", {})
    found = expand(entries, problems)
    problems.raise_if_any()
    return found


def test_every_combination_in_the_order_written():
    entry = {"matrix": {"mixer": ["a", "b"], "mixer_args.kernel_large": [5, 7]}, "label": "L"}
    found = expand_variants([{"name": "plain"}, entry])
    assert [v["name"] for v in found] == ["plain", "a-5", "a-7", "b-5", "b-7"]
    assert found[2] == {
        "name": "a-7",
        "label": "L",
        "mixer": "a",
        "mixer_args": {"kernel_large": 7},
    }


def test_excluded_combinations_are_left_out():
    matrix = {"mixer": ["a", "b"], "dataset.img_size": [32, 64]}
    rules = [{"mixer": "a", "dataset.img_size": 32}, {"mixer": "b"}]
    found = expand_variants([{"matrix": matrix, "exclude": rules}])
    assert [v["name"] for v in found] == ["a-64"]


def test_a_template_names_the_combinations():
    found = expand_variants([{"name": "{mixer}_k{k}", "matrix": {"mixer": ["a"], "mixer_args.k": [1, 2]}}])
    assert [v["name"] for v in found] == ["a_k1", "a_k2"]


def test_a_mapping_as_value_is_called_by_its_name():
    found = expand_variants([{"matrix": {"dataset": [{"name": "fashion"}, "imagenet"]}}])
    assert [v["name"] for v in found] == ["fashion", "imagenet"]


def test_dotted_axes_lie_over_what_is_there_and_leave_the_entry_alone():
    entry = {"mixer_args": {"a": 1, "b": 2}, "matrix": {"mixer_args.b": [3, 4]}}
    found = expand_variants([entry])
    assert [v["mixer_args"]["b"] for v in found] == [3, 4]
    assert entry["mixer_args"] == {"a": 1, "b": 2}


def test_malformed_entries_pass_through():
    entries = [3, None, {"matrix": 3}, {"matrix": {"a": 3}}]
    assert list(expand(entries, Problems("s.yaml", {}))) == entries


@pytest.mark.parametrize("template", ["{mixer_args.k}-{size}", "{k}-{dataset.size}", "{k}-{size}"])
def test_a_template_names_axes_in_full_or_by_their_last_part(template):
    matrix = {"mixer_args.k": [1, 2], "dataset.size": [3]}
    assert [v["name"] for v in expand_variants([{"name": template, "matrix": matrix}])] == ["1-3", "2-3"]


@pytest.mark.parametrize("word", ["mixer_args.kernel_large", "kernel_large"])
def test_exclusions_and_names_use_the_same_words(word):
    entry = {
        "name": f"{{mixer}}_{{{word}}}",
        "matrix": {"mixer": ["a", "b"], "mixer_args.kernel_large": [5, 7]},
        "exclude": [{"mixer": "a", word: 5}],
    }
    assert [v["name"] for v in expand_variants([entry])] == ["a_7", "b_5", "b_7"]


def test_rules_may_overlap():
    entry = {"matrix": {"a": [1, 2], "b": [1, 2]}, "exclude": [{"a": 1}, {"b": 1}, {"a": 1, "b": 1}]}
    assert [v["name"] for v in expand_variants([entry])] == ["2-2"]


def test_true_is_not_one():
    entry = {"matrix": {"mixer_args.a": [True, 1, 0, False]}, "exclude": [{"a": 1}, {"a": False}]}
    assert [v["name"] for v in expand_variants([entry])] == ["True", "0"]


@pytest.mark.parametrize("dataset", ["imagenet", MarkedDict(name="imagenet")])
def test_an_axis_of_the_data_set_keeps_its_name(dataset):
    found = expand_variants([{"dataset": dataset, "matrix": {"dataset.img_size": [32]}}])
    assert found[0]["dataset"] == {"name": "imagenet", "img_size": 32}
    found = expand_variants([{"matrix": {"dataset.img_size": [32], "dataset": [dataset]}}])
    assert found[0]["dataset"] == {"name": "imagenet", "img_size": 32}


@pytest.mark.parametrize(
    ("matrix", "axis", "reason"),
    [
        ({"mixer_args": [{"k": 5}], "mixer_args.k": [7]}, "mixer_args.k", "'mixer_args' set the same key"),
        ({"jobs.train.a.b": [1], "jobs.train": [{}, {"a": {"b": 2}}]}, "jobs.train.a.b", "set the same key"),
        ({"mixer_args.": [5]}, "mixer_args.", "keys joined by dots"),
        ({"": [5]}, "", "keys joined by dots"),
    ],
)
def test_each_axis_sets_a_key_of_its_own(matrix, axis, reason):
    with pytest.raises(ConfigError) as caught:
        expand_variants([{"name": "a", "matrix": matrix}])
    assert f"matrix.{axis}: " in str(caught.value)
    assert reason in str(caught.value)


def test_an_axis_may_add_to_the_values_of_another():
    matrix = {"dataset": [MarkedDict(name="a"), "b"], "dataset.img_size": [32]}
    found = [row["dataset"] for row in expand_variants([{"matrix": matrix}])]
    assert found == [{"name": "a", "img_size": 32}, {"name": "b", "img_size": 32}]


AXES = "matrix: {mixer: [identity, ls_conv], dataset.img_size: [32, 64]}"
BAD = {
    "unknown axis": (
        f"{AXES}\nexclude: [{{mixr: identity}}]",
        3,
        "exclude[0].mixr",
        "the matrix has no axis 'mixr' (did",
    ),
    "nothing": (f"{AXES}\nexclude: [{{mixer: aff}}]", 3, "exclude[0]", "leaves nothing out"),
    "second of two": (
        f"{AXES}\nexclude:\n- {{mixer: ls_conv}}\n- {{img_size: 16}}",
        5,
        "exclude[1]",
        "leaves nothing out",
    ),
    "combination": (
        f"{AXES}\nexclude: [{{mixer: ls_conv, img_size: 16}}]",
        3,
        "exclude[0]",
        "leaves nothing out",
    ),
    "no words": (f"{AXES}\nexclude: [{{}}]", 3, "exclude[0]", "expected values of axes"),
    "everything": (
        f"{AXES}\nexclude: [{{img_size: 32}}, {{img_size: 64}}]",
        3,
        "exclude",
        "leaves every combination out",
    ),
    "no matrix": ("mixer: identity\nexclude: [{mixer: identity}]", 3, "exclude", "there is no matrix"),
    "no axes": ("matrix: {}", 2, "matrix", "expected at least one axis"),
    "empty axis": (
        "matrix:\n  mixer: [identity]\n  dataset.img_size: []",
        4,
        "matrix.dataset.img_size",
        "expected at least one value",
    ),
    "twice": ("matrix: {mixer: [aff, cga, aff]}", 2, "matrix.mixer[2]", "the value aff is given twice"),
    "twice a number": (
        "matrix: {dataset.img_size: [32, 32.0]}",
        2,
        "matrix.dataset.img_size[1]",
        "the value 32.0 is given",
    ),
    "one name": (f"{AXES}\nname: 'a{{mixer}}'", 3, "name", "several combinations are called 'aidentity'"),
    "no template": (f"{AXES}\nname: a", 3, "name", "several combinations are called 'a'"),
    "attribute": (f"{AXES}\nname: '{{mixer.kernel}}'", 3, "name", "the matrix has no axis 'mixer.kernel'"),
    "class": (f"{AXES}\nname: '{{mixer.__class__}}'", 3, "name", "the matrix has no axis 'mixer.__class__'"),
    "item": (f"{AXES}\nname: '{{mixer[0]}}'", 3, "name", "the matrix has no axis 'mixer[0]'"),
    "conversion": (f"{AXES}\nname: '{{mixer!r}}'", 3, "name", "the matrix has no axis 'mixer!r'"),
    "width": (f"{AXES}\nname: '{{mixer:999999999}}'", 3, "name", "the matrix has no axis 'mixer:999999999'"),
    "no word": (f"{AXES}\nname: '{{}}'", 3, "name", "the matrix has no axis ''"),
    "number": (f"{AXES}\nname: '{{0}}'", 3, "name", "the matrix has no axis '0'"),
    "brace": (f"{AXES}\nname: '{{mixer'", 3, "name", "{mixer: a brace without its partner"),
    "braces": (f"{AXES}\nname: '{{{{mixer}}}}'", 3, "name", "{{mixer}}: a brace without its partner"),
    "ambiguous": (
        "matrix: {mixer_args.k: [1], model_args.k: [1, 2]}\nname: '{k}'",
        3,
        "name",
        "'k' stands for several axes: write mixer_args.k or",
    ),
    "an axis that is none": ("matrix: {name: [a, b]}", 2, "matrix.name", "cannot be an axis"),
    "a matrix within": ("matrix: {matrix.mixer: [[a]]}", 2, "matrix.matrix.mixer", "cannot be an axis"),
    "size": (
        "matrix: {" + ", ".join(f"mixer_args.k{n}: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]" for n in range(9)) + "}",
        2,
        "matrix",
        f"1000000000 combinations: a suite has at most {MAX_ROWS} rows",
    ),
}


@pytest.mark.parametrize(("text", "line", "field", "reason"), BAD.values(), ids=BAD)
def test_a_wrong_matrix_is_one_line_with_file_and_line(text, line, field, reason, tmp_path):
    path = tmp_path / "s.yaml"
    first, *rest = text.split("\n")
    path.write_text("variants:\n- " + first + "".join(f"\n  {more}" for more in rest) + "\n")
    data = read_yaml(path)
    problems = Problems(str(path), data)
    expand(data["variants"], problems)
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}:{line}: variants[0].{field}: {reason}")


def test_the_rows_of_all_entries_count_together():
    thousands = {"matrix": {"mixer_args.a": list(range(100)), "mixer_args.b": list(range(20))}}
    with pytest.raises(ConfigError, match=r"2000 combinations: a suite has at most 2000 rows"):
        expand_variants([thousands, thousands])


def test_a_suite_reports_its_matrix_alone(tiny, write_suite):
    tiny["variants"] = [{"name": "{k}", "matrix": {"mixer": ["identity"]}}]
    with pytest.raises(ConfigError) as caught:
        load_suite(write_suite({**tiny, "baseline": "identity"}))
    assert len(caught.value.problems) == 1
