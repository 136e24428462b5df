import os
import re

import pytest
import yaml

from lsbench.core.errors import ConfigError, UsageError
from lsbench.suite.graph import build_graph
from lsbench.suite.loader import find_suite, load_suite, preset_names, shipped_suites


def change(path, value):
    """Return what sets one place of a suite to `value`."""

    def apply(content):
        node = content
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = value

    return apply


def append(key, value):
    return lambda content: content[key].append(value)


TRAIN, TRAIN_RESOURCES = ("jobs", 0, "train"), ("jobs", 0, "train", "resources")
BAD = {
    "unknown key": (change(["variant"], []), "variant", "unknown key (did you mean 'variants'?)"),
    "in defaults": (
        change(["defaults", "modle"], 1),
        "defaults.modle",
        "unknown key (did you mean 'model'?)",
    ),
    "in a variant": (
        change(["variants", 0, "mixr"], 1),
        "variants[0].mixr",
        "unknown key (did you mean 'mixer'?)",
    ),
    "in a job": (change([*TRAIN, "epoch"], 1), "jobs[0].train.epoch", "unknown key (did you mean 'epochs'?)"),
    "in augment": (
        change([*TRAIN, "augment"], {"flp": 1}),
        "jobs[0].train.augment.flp",
        "unknown key (did you mean 'flip'?)",
    ),
    "in a job's resources": (
        change(TRAIN_RESOURCES, {"num_cpu": 1}),
        "jobs[0].train.resources.num_cpu",
        "unknown key (did you mean 'num_cpus'?)",
    ),
    "in resources": (
        change(["resources"], {"num_gpu": 1}),
        "resources.num_gpu",
        "unknown key (did you mean 'num_gpus'?)",
    ),
    "in dataset": (
        change(["defaults", "dataset", "train_image"], 10),
        "defaults.dataset.train_image",
        "unknown key (did you mean 'train_images'?)",
    ),
    "in a preset": (
        change(["presets"], {"p": {"seed": [1]}}),
        "presets.p.seed",
        "unknown key (did you mean 'seeds'?)",
    ),
    "unknown mixer": (
        change(["variants", 1, "mixer"], "idenity"),
        "variants[1].mixer",
        "unknown mixer 'idenity' (did you mean 'identity'?)",
    ),
    "unknown data set": (
        change(["defaults", "dataset"], "fashon"),
        "defaults.dataset",
        "unknown data set 'fashon' (did you mean 'fashion'?)",
    ),
    "unknown data set by name": (
        change(["defaults", "dataset", "name"], "fashon"),
        "defaults.dataset.name",
        "unknown data set 'fashon' (did you mean 'fashion'?)",
    ),
    "unknown job kind": (
        append("jobs", "evalute"),
        "jobs[3]",
        "unknown job kind 'evalute' (did you mean 'evaluate'?)",
    ),
    "unknown model": (
        change(["defaults", "model"], "lsnet_nan"),
        "defaults.model",
        "unknown model 'lsnet_nan' (did you mean 'lsnet_nano'?)",
    ),
    "unknown model of a variant": (
        change(["variants", 0, "model"], "resnet_18"),
        "variants[0].model",
        "unknown model 'resnet_18' (did you mean 'resnet18'?)",
    ),
    "unknown metric": (
        change(["jobs", 1], {"evaluate": {"metrics": ["top2"]}}),
        "jobs[1].evaluate.metrics",
        "unknown metric 'top2' (did you mean",
    ),
    "unknown probe": (
        change(["jobs", 2, "profile", "probes"], ["latncy"]),
        "jobs[2].profile.probes",
        "unknown probe 'latncy' (did you mean 'latency'?)",
    ),
    "cycle": (
        change([*TRAIN, "needs"], ["evaluate"]),
        "jobs",
        "the jobs need each other in a circle: train -> evaluate -> train",
    ),
    "unknown need": (
        append("jobs", {"evaluate": {"name": "again", "needs": ["trian"]}}),
        "jobs[3].evaluate.needs",
        "job 'again' needs 'trian', which the suite does not have (did you mean 'train'?)",
    ),
    "per variant needs per seed": (
        change(["jobs", 2, "profile", "needs"], ["train"]),
        "jobs[2].profile.needs",
        "'profile' runs once per variant and cannot need 'train', which runs per seed",
    ),
    "duplicate variant": (
        append("variants", {"name": "ls"}),
        "variants[2].name",
        "duplicate variant name 'ls', first given at variants[0]",
    ),
    "duplicate job": (append("jobs", "evaluate"), "jobs[3]", "duplicate job name 'evaluate'"),
    "duplicate seeds": (change(["seeds"], [1, 2, 1]), "seeds", "a seed is given twice"),
    "a seed given twice as another number": (change(["seeds"], [1, 1.0]), "seeds", "a seed is given twice"),
    "seed beyond 64 bits": (change(["seeds"], [1e19]), "seeds[0]", "expected an integer of at most 64 bits"),
    "negative seed": (
        change(["seeds"], [-1]),
        "seeds[0]",
        "input should be greater than or equal to 0, found -1",
    ),
    "baseline": (change(["baseline"], "lss"), "baseline", "no variant 'lss' (did you mean 'ls'?)"),
    "missing key": (lambda content: content.pop("jobs"), "jobs", "this key is required"),
    "wrong type": (change(["seeds"], "zero"), "seeds", "input should be a valid list, found 'zero'"),
    "wrong version": (change(["version"], 2), "version", "input should be 1, found 2"),
    "bad share": (
        change(TRAIN_RESOURCES, {"num_gpus": 0.3}),
        "jobs[0].train.resources.num_gpus",
        "expected 0",
    ),
    "job name": (
        change(["jobs", 2, "profile", "name"], "a/b"),
        "jobs[2].profile.name",
        "'a/b' is no name: it takes",
    ),
    "job name of a wrong type": (
        change(["jobs", 2, "profile", "name"], 3),
        "jobs[2].profile.name",
        "'3' is no name: it takes",
    ),
    "variant name": (
        change(["variants", 0, "name"], "w/o LKP"),
        "variants[0].name",
        "'w/o LKP' is no name: it takes letters, digits and . _ - + = , and starts with a letter or digit; "
        "put the title into `label:`, e.g. `name: w_o_LKP` with `label: w/o LKP`",
    ),
    "preset name": (
        change(["presets"], {"../x": {}}),
        "presets.../x.[key]",
        "'../x' is no name: it takes",
    ),
    "two kinds in one entry": (
        append("jobs", {"train": {}, "profile": {}}),
        "jobs[3]",
        "expected a job kind, or a mapping of one job kind to its settings",
    ),
    "matrix of an unknown axis": (
        append("variants", {"matrix": {"mixr": ["a"]}}),
        "variants[2].mixr",
        "unknown key (did you mean 'mixer'?)",
    ),
    "template of an unknown axis": (
        append("variants", {"name": "{k}", "matrix": {"mixer": ["identity"]}}),
        "variants[2].name",
        "the matrix has no axis 'k'; it has: mixer",
    ),
    "options that are no numbers": (
        change(["variants", 0, "mixer_args"], {"k": float("inf")}),
        "variants[0].mixer_args",
        "expected finite numbers",
    ),
}


@pytest.mark.parametrize(("spoil", "field", "reason"), BAD.values(), ids=BAD)
def test_a_mistake_is_one_line_with_file_line_field_and_reason(spoil, field, reason, tiny, write_suite):
    spoil(tiny)
    path = write_suite(tiny)
    with pytest.raises(ConfigError) as caught:
        load_suite(path)
    assert len(caught.value.problems) == 1
    found = re.fullmatch(r"(?P<file>.+?):(?P<line>\d+): (?P<field>\S+): (?P<reason>.+)", str(caught.value))
    assert (found["file"], found["field"]) == (path, field)
    assert found["reason"].startswith(reason)


def test_the_line_is_that_of_the_mistake(write_suite):
    text = (
        "version: 1\nname: a\nvariants:\n  - {model: lsnet_nano, dataset: fashion}\n"
        "  - model: lsnet_nano\n    dataset: fashion\n    mixer: idenity\njobs:\n  - train:\n      epoch: 3\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_suite(write_suite(text))
    assert [problem.split(":")[1] for problem in caught.value.problems] == ["7", "10"]


def test_several_mistakes_are_reported_together(tiny, write_suite):
    tiny["foo"] = 1
    tiny["baseline"] = "x"
    tiny["variants"][0]["mixer"] = "ls_conf"
    tiny["jobs"][0]["train"]["epochs"] = 0
    with pytest.raises(ConfigError) as caught:
        load_suite(write_suite(tiny))
    fields = [problem.split(": ")[1] for problem in caught.value.problems]
    assert fields == ["variants[0].mixer", "jobs[0].train.epochs", "foo", "baseline"]


def test_a_suite_is_found_by_path_and_by_name(tiny, write_suite):
    path = write_suite(tiny)
    assert str(find_suite(path)) == path
    assert find_suite("smoke") == shipped_suites()["smoke"]
    with pytest.raises(UsageError, match=r"smok: no such suite file \(did you mean 'smoke'\?\)"):
        find_suite("smok")
    for name in ("zzz", "z" * 5000):
        with pytest.raises(UsageError, match=r"shipped suites: .*ablations"):
            find_suite(name)


def test_a_suite_in_a_folder_is_found_by_its_place_and_by_the_name_of_its_results():
    file = shipped_suites()["paper/table5"]
    assert find_suite("paper/table5") == find_suite("paper_table5") == find_suite(str(file)) == file
    assert load_suite("paper/table5").name == "paper_table5"
    with pytest.raises(UsageError, match=r"\(did you mean 'paper/table5'\?\)"):
        find_suite("paper/tabel5")


def test_a_file_that_others_extend_is_no_suite():
    assert not [name for name in shipped_suites() if "_imagenet" in name]


PRESETS = {
    "small": {
        "description": "other",
        "defaults": {"dataset": {"train_images": 20}},
        "jobs": [{"train": {"epochs": 3}}, {"evaluate": {"split": "val"}}, {"profile": {"name": "again"}}],
        "variants": [{"name": "only", "mixer": "involution"}],
        "seeds": [7],
    }
}


def test_a_preset_merges_jobs_by_name_and_replaces_variants(tiny, write_suite):
    suite = load_suite(write_suite({**tiny, "presets": PRESETS}), preset="small")
    assert [v.name for v in suite.variants] == ["only"]
    assert suite.variants[0].dataset["train_images"] == 20
    assert suite.variants[0].dataset["val_images"] == 20
    assert suite.seeds == (7,)
    jobs = {job.name: job for job in suite.jobs}
    assert list(jobs) == ["train", "evaluate", "profile", "again"]
    assert (jobs["train"].spec["epochs"], jobs["train"].spec["batch_size"]) == (3, 20)
    assert jobs["evaluate"].spec["split"] == "val"
    assert jobs["profile"].spec["batch_size"] == 2
    assert jobs["again"].spec["batch_size"] != 2
    assert (suite.preset, suite.description, suite.baseline) == ("small", "other", "only")


def test_presets_are_listed_and_an_unknown_one_is_refused(tiny, write_suite):
    path = write_suite({**tiny, "presets": PRESETS})
    assert preset_names(path) == ["default", "small"]
    with pytest.raises(
        UsageError, match=r"no preset 'smal' \(did you mean 'small'\?\); there are: default, small"
    ):
        load_suite(path, preset="smal")


def test_loading_touches_no_environment(tiny, write_suite):
    before = dict(os.environ)
    build_graph(load_suite(write_suite(tiny)))
    assert dict(os.environ) == before


def test_a_preset_cannot_be_called_default(tiny, write_suite):
    tiny["presets"] = {"default": {"seeds": [3]}}
    with pytest.raises(ConfigError, match="'default' names the suite itself"):
        load_suite(write_suite(tiny))


@pytest.fixture
def extending(tiny, tmp_path, write_suite):
    """Return what writes a suite that extends `tiny`'s data and jobs, and its path."""

    def write(**content):
        base = {key: tiny[key] for key in ("defaults", "jobs", "seeds")}
        base["jobs"][0]["train"]["epochs"] = content.pop("base_epochs", 3)
        (tmp_path / "_base.yaml").write_text(yaml.safe_dump(base, sort_keys=False))
        own = {"version": 1, "extends": "_base.yaml", "name": "own", "variants": [{"mixer": "ls_conv"}]}
        return write_suite({**own, **content})

    return write


def test_a_suite_is_laid_over_the_file_that_it_extends(extending):
    suite = load_suite(extending(jobs=[{"train": {"batch_size": 10}}], defaults={"model": "lsnet_t"}))
    assert (suite.name, suite.variants[0].model, suite.seeds) == ("own", "lsnet_t", (0, 1))
    assert suite.variants[0].dataset["train_images"] == 40
    assert [job.name for job in suite.jobs] == ["train", "evaluate", "profile"]
    assert (suite.jobs[0].spec["epochs"], suite.jobs[0].spec["batch_size"]) == (3, 10)


def test_a_mistake_names_the_file_that_it_is_in(extending, tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_suite(extending(base_epochs=0, baseline="x"))
    base, own = (str(tmp_path / name) for name in ("_base.yaml", "suite.yaml"))
    assert sorted(problem.split(":")[0] for problem in caught.value.problems) == [base, own]


@pytest.mark.parametrize(
    ("extends", "reason"),
    [
        ("nothing.yaml", "suite.yaml:2: extends: there is no file "),
        ("suite.yaml", "suite.yaml:2: extends: the files extend each other in a circle"),
        (3, "suite.yaml:2: extends: input should be a valid string, found 3"),
    ],
)
def test_what_cannot_be_extended_is_refused(extends, reason, extending):
    with pytest.raises(ConfigError, match=re.escape(reason)):
        load_suite(extending(extends=extends, jobs=["profile"], defaults={"model": "lsnet_t"}))


@pytest.mark.parametrize("limit", [0, -1, 2**63, 10**30])
def test_a_limit_has_bounds(limit, tiny, write_suite):
    with pytest.raises(UsageError, match=f"--limit {limit}: expected a number from 1 to 9223372036854775807"):
        load_suite(write_suite(tiny), limit=limit)


@pytest.mark.parametrize("names", [("A", "a"), ("Default",), ("x", "default")])
def test_presets_have_names_that_every_file_system_tells_apart(names, tiny, write_suite):
    tiny["presets"] = {name: {"seeds": [1]} for name in names}
    with pytest.raises(ConfigError, match=rf"suite\.yaml:\d+: presets\.{names[-1]}: .*choose another name"):
        load_suite(write_suite(tiny))
