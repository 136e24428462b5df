from pathlib import Path

import pytest
from pydantic import ValidationError

from lsbench.core.errors import ConfigError
from lsbench.engine.recipe import Recipe
from lsbench.suite.marked_yaml import read_yaml
from lsbench.suite.problems import Problems, bad_name, field_name, known_fields
from lsbench.suite.schema import SuiteFile


@pytest.fixture
def problems(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("s.yaml")
    path.write_text("name: a\nseeds: [0]\nvariants:\n  - mixer: x\n")
    return Problems(str(path), read_yaml(path))


def test_problems_come_together_in_the_order_of_lines_and_once(problems):
    assert not problems
    problems.add(["variants", 0, "mixer"], "second")
    problems.add(["name"], "first")
    problems.add(["name"], "first")
    assert problems
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    assert caught.value.problems == ["s.yaml:1: name: first", "s.yaml:4: variants[0].mixer: second"]


def test_no_problem_raises_nothing(problems):
    problems.raise_if_any()
    assert not problems


def test_a_validation_error_gives_a_line_per_mistake_with_suggestions(problems):
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate({"epoch": 3, "lr": -1, "augment": {"flp": 1}})
    problems.add_validation(caught.value, Recipe, ["variants", 0])
    with pytest.raises(ConfigError) as reported:
        problems.raise_if_any()
    assert reported.value.problems == [
        "s.yaml:4: variants[0].augment.flp: unknown key (did you mean 'flip'?)",
        "s.yaml:4: variants[0].epoch: unknown key (did you mean 'epochs'?)",
        "s.yaml:4: variants[0].lr: input should be greater than 0, found -1",
    ]


def test_known_fields_follow_a_path_through_lists_mappings_and_references():
    assert "mixer_args" in known_fields(SuiteFile, ["variants", 3])
    assert "seeds" in known_fields(SuiteFile, ["presets", "any"])
    assert "num_gpus" in known_fields(SuiteFile, ["presets", "any", "resources"])
    assert known_fields(SuiteFile, ["nothing"]) == []


def test_field_names():
    assert field_name(["jobs", 0, "train", "lr"]) == "jobs[0].train.lr"
    assert field_name([]) == ""


def test_a_bad_name_comes_with_a_good_one_where_there_is_one():
    assert bad_name("my suite").endswith("starts with a letter or digit, e.g. my_suite")
    assert bad_name("_x", is_variant=True).endswith("`name: x` with `label: _x`")
    assert bad_name("\u00f6", is_variant=True).endswith("starts with a letter or digit")
