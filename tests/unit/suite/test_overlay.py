import copy
import os
import re

import pytest
import yaml

from lsbench.core.errors import ConfigError
from lsbench.suite.loader import load_suite, shipped_suites
from lsbench.suite.marked_yaml import read_yaml
from lsbench.suite.overlay import job_name, merge_jobs


@pytest.fixture
def own_preset(tiny, tmp_path, write_suite):
    """Return what writes a suite with a preset that lies over another file, and its path."""

    def write(**preset):
        other = copy.deepcopy(tiny)
        other["name"], other["description"], other["seeds"] = "other", "The other.", [7]
        other["variants"] = [
            {"name": "a", "mixer": "ls_conv", "jobs": {"train": {"epochs": 9}, "evaluate": {"split": "val"}}},
            {"name": "b", "mixer": "identity", "published": {"top1": 0.5}},
        ]
        other["presets"] = {"long": {"seeds": [8]}}
        (tmp_path / "other.yaml").write_text(yaml.safe_dump(other, sort_keys=False))
        return write_suite({**tiny, "presets": {"big": {"extends": "other.yaml", **preset}}})

    return write


def test_a_preset_can_lie_over_another_file_instead_of_the_suite(own_preset):
    path = own_preset(jobs=[{"train": {"batch_size": 5}}])
    suite = load_suite(path, preset="big")
    assert (suite.name, suite.preset, suite.description, suite.seeds) == ("tiny", "big", "The other.", (7,))
    assert [variant.name for variant in suite.variants] == ["a", "b"]
    assert (suite.jobs[0].spec["epochs"], suite.jobs[0].spec["batch_size"]) == (1, 5)
    assert suite.jobs[0].spec_of["a"]["epochs"] == 9
    assert [variant.name for variant in load_suite(path).variants] == ["ls", "id"]


def test_a_preset_can_leave_jobs_out_with_what_rows_say_of_them(own_preset):
    weights = {"evaluate": {"weights": "pretrained"}}
    suite = load_suite(own_preset(without=["train", "profile"], jobs=[weights]), preset="big")
    assert [job.name for job in suite.jobs] == ["evaluate"]
    assert suite.jobs[0].spec_of["a"]["split"] == "val"


def test_a_job_cannot_be_left_out_that_is_not_there(own_preset):
    path = own_preset(without=["trian"])
    line = path_line(path, "trian")
    message = f"{path}:{line}: presets.big.without: no job 'trian' (did you mean 'train'?)"
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_suite(path, preset="big")


def path_line(path, word):
    with open(path, encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if word in line)


@pytest.mark.parametrize(("extends", "reason"), [("no.yaml", "no file "), ("suite.yaml", "in a circle")])
def test_a_preset_cannot_extend_what_is_not_there_or_its_own_file(extends, reason, own_preset):
    with pytest.raises(ConfigError, match=rf"presets\.big\.extends: .*{reason}"):
        load_suite(own_preset(extends=extends), preset="big")


@pytest.mark.parametrize("wrong", [{"extends": 3}, {"without": 3}, {"without": [3]}, {"without": "train"}])
def test_the_wrong_shape_is_reported_with_its_field(wrong, own_preset):
    with pytest.raises(ConfigError, match=rf"presets\.big\.{next(iter(wrong))}"):
        load_suite(own_preset(**wrong), preset="big")


@pytest.mark.parametrize("job", ["train", {"train": None}, {"train": {}}])
def test_a_job_named_without_settings_stays_as_it_is(job, own_preset):
    suite = load_suite(own_preset(extends=None, jobs=[job]), preset="big")
    assert suite.jobs == load_suite(own_preset()).jobs


def test_settings_of_a_data_set_are_added_to_its_name(own_preset, tiny):
    tiny["defaults"]["dataset"] = "fashion"
    suite = load_suite(own_preset(extends=None, defaults={"dataset": {"img_size": 64}}), preset="big")
    assert [suite.variants[0].dataset[key] for key in ("name", "img_size")] == ["fashion", 64]


def test_a_preset_that_is_no_mapping_is_one_line(tiny, write_suite):
    with pytest.raises(ConfigError) as caught:
        load_suite(write_suite({**tiny, "presets": {"big": 5}}), preset="big")
    assert len(str(caught.value).splitlines()) == 1


def test_published_numbers_are_about_the_preset_that_has_the_rows(own_preset, tiny, write_suite):
    path = own_preset()
    assert load_suite(path).published_preset == "default"
    assert load_suite(path, preset="big").published_preset == "big"
    tiny["presets"] = {"rows": {"variants": tiny["variants"]}, "seeds": {"seeds": [5]}}
    path = write_suite(tiny)
    assert [load_suite(path, preset=name).published_preset for name in ("rows", "seeds")] == [
        "rows",
        "default",
    ]


def test_names_of_job_entries():
    assert [job_name(e) for e in ("train", {"train": None}, {"train": {"name": "x"}}, {}, 3)] == [
        "train",
        "train",
        "x",
        None,
        None,
    ]


def test_merged_jobs_keep_the_line_of_what_was_laid_over(tmp_path):
    for name, text in (
        ("a", "jobs:\n  - train\n  - evaluate\n"),
        ("b", "\n\n\njobs:\n  - evaluate: {split: val}\n"),
    ):
        (tmp_path / name).write_text(text)
    base, over = (read_yaml(tmp_path / name)["jobs"] for name in "ab")
    merged = merge_jobs(base, over)
    assert merged == ["train", {"evaluate": {"split": "val"}}]
    assert merged.lines == [2, 5]
    assert merge_jobs(base, "evaluate") == "evaluate"


@pytest.fixture
def elsewhere(tiny, tmp_path, monkeypatch):
    """Return a base file outside of the folder of a suite, and what writes the suite that extends it."""
    monkeypatch.delenv("LSBENCH_EXTENDS", raising=False)
    base = tmp_path / "other" / "base.yaml"
    base.parent.mkdir()
    base.write_text(yaml.safe_dump({key: tiny[key] for key in ("defaults", "jobs")}))
    (tmp_path / "mine").mkdir()

    def write(extends):
        suite = {"version": 1, "name": "own", "extends": str(extends), "variants": [{"mixer": "ls_conv"}]}
        path = tmp_path / "mine" / "suite.yaml"
        path.write_text(yaml.safe_dump(suite))
        return str(path)

    return base, write


OUTSIDE = r"suite.yaml:1: extends: .* is neither below the suite's folder nor a shipped suite; move it"


@pytest.mark.parametrize(
    "name",
    ["../other/base.yaml", "ABSOLUTE", "link.yaml", "folder/base.yaml", "../../../etc/passwd", "/dev/zero"],
)
def test_a_file_outside_of_the_suites_folder_is_not_extended(name, elsewhere, tmp_path):
    base, write = elsewhere
    path = write(base if name == "ABSOLUTE" else name)
    (tmp_path / "mine" / "link.yaml").symlink_to(base)
    (tmp_path / "mine" / "folder").symlink_to(base.parent)
    with pytest.raises(ConfigError, match=OUTSIDE):
        load_suite(path)


def test_a_file_below_the_suites_folder_is_extended_also_through_links(elsewhere, tmp_path):
    base, write = elsewhere
    inside = tmp_path / "mine" / "bases" / "base.yaml"
    inside.parent.mkdir()
    inside.write_text(base.read_text())
    (tmp_path / "mine" / "link.yaml").symlink_to(inside)
    (tmp_path / "linked").symlink_to(tmp_path / "mine")
    for name in ("bases/base.yaml", "link.yaml", inside, "bases/../bases/base.yaml"):
        assert load_suite(write(name)).name == "own"
        assert load_suite(str(tmp_path / "linked" / "suite.yaml")).name == "own"


def test_a_file_below_cannot_lead_outside(elsewhere, tmp_path):
    _, write = elsewhere
    middle = tmp_path / "mine" / "middle.yaml"
    middle.write_text("extends: ../other/base.yaml\n")
    with pytest.raises(ConfigError, match=r"middle.yaml:1: extends: .* is neither below the suite's folder"):
        load_suite(write("middle.yaml"))


def test_a_preset_cannot_lead_outside(elsewhere, tiny, tmp_path):
    path = tmp_path / "mine" / "suite.yaml"
    path.write_text(
        yaml.safe_dump({**tiny, "presets": {"p": {"extends": "../other/base.yaml"}}}, sort_keys=False)
    )
    with pytest.raises(ConfigError, match=r"presets.p.extends: .* is neither below the suite's folder"):
        load_suite(str(path), preset="p")


def test_a_folder_can_be_allowed(elsewhere, monkeypatch):
    base, write = elsewhere
    monkeypatch.setenv("LSBENCH_EXTENDS", os.pathsep.join(["", "nowhere", str(base.parent)]))
    assert load_suite(write("../other/base.yaml")).name == "own"
    with pytest.raises(ConfigError, match=r"is neither below"):
        load_suite(write("/etc/passwd"))


def test_a_shipped_suite_can_be_extended(elsewhere):
    _, write = elsewhere
    assert load_suite(write(shipped_suites()["smoke"])).is_smoke


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_what_is_no_name_of_a_file_is_one_line(name, elsewhere):
    _, write = elsewhere
    with pytest.raises(ConfigError) as caught:
        load_suite(write(name))
    assert len(str(caught.value).splitlines()) == 1


def test_a_chain_of_files_is_bounded(elsewhere, tmp_path):
    _, write = elsewhere
    for number in range(30):
        (tmp_path / "mine" / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml\n")
    with pytest.raises(ConfigError, match=r"18.yaml:1: extends: more than 20 files extend each other"):
        load_suite(write("0.yaml"))
