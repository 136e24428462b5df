import pytest

from lsbench.core.errors import ConfigError, UsageError
from lsbench.suite.loader import load_suite
from lsbench.suite.overrides import folder_of_preset, folder_of_preset_before

OVERRIDES = {
    "jobs.train.epochs=5": lambda suite: suite.jobs[0].spec["epochs"] == 5,
    "jobs.train.augment.flip=0.25": lambda suite: suite.jobs[0].spec["augment"]["flip"] == 0.25,
    "jobs.evaluate.split=val": lambda suite: suite.jobs[1].spec["split"] == "val",
    "jobs.long.epochs=6": lambda suite: (suite.jobs[3].name, suite.jobs[3].spec["epochs"]) == ("long", 6),
    "seeds=[4, 5]": lambda suite: suite.seeds == (4, 5),
    "defaults.dataset.img_size=64": lambda suite: suite.variants[0].dataset["img_size"] == 64,
    "resources.num_gpus=0.5": lambda suite: suite.jobs[0].resources.num_gpus == 0.5,
    "baseline=id": lambda suite: suite.baseline == "id",
}


@pytest.mark.parametrize(("text", "holds"), OVERRIDES.items())
def test_an_override_sets_one_place_and_marks_the_results_folder(text, holds, tiny, write_suite):
    tiny["jobs"].append({"train": {"name": "long", "epochs": 2}})
    path = write_suite(tiny)
    assert not holds(load_suite(path))
    suite = load_suite(path, overrides=[text])
    assert holds(suite)
    assert suite.preset == f"default+{text}"


def test_overrides_and_limits_get_a_folder_of_their_own_whatever_their_order(tiny, write_suite):
    path = write_suite(tiny)
    first = load_suite(path, overrides=["seeds=[1]", "baseline=id"], limit=3)
    second = load_suite(path, overrides=["baseline=id", "seeds=[1]"], limit=3)
    assert first.preset == second.preset == "default+limit=3+baseline=id+seeds=[1]"
    assert (first.limit, load_suite(path).limit) == (3, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("jobs.train.epochs", r"expected key=value"),
        ("=3", r"expected key=value"),
        ("defalts.model=x", r"cannot set 'defalts' \(did you mean 'defaults'\?\)"),
        ("name=x", r"cannot set 'name'"),
        ("variants=[]", r"cannot set 'variants'"),
        ("extends=x.yaml", r"cannot set 'extends'"),
        ("jobs.trian.epochs=1", r"the suite has no job 'trian' \(did you mean 'train'\?\)"),
        ("jobs.train.epochs=[1", r"--set jobs.train.epochs=\[1: not valid YAML"),
        ("jobs.train.epochs=yes", r"--set jobs.train.epochs=yes: yes: expected true, or 'yes' in quotes"),
        ("jobs.train.epochs='8'", r"epochs: input should be a valid integer, found '8'"),
        ("jobs.train.epochs=true", r"epochs: input should be a valid integer, found True"),
        ("jobs.train.epochs=010", r"010: expected a decimal number"),
        ("jobs.train.lr=1:30.5", r"1:30.5: expected a decimal number"),
        ("defaults.dataset.root=2025-02-30", r"--set: defaults\.dataset\.root: unknown key"),
        ("seeds=[9223372036854775808]", r"9223372036854775808: expected a number of at most 64 bits"),
        ("seeds=[1e19]", r"seeds\[0\]: expected an integer of at most 64 bits"),
        ("jobs..epochs=1", r"expected key=value"),
        ("jobs.train={epochs: 1, epochs: 2}", r"epochs: this key is given twice"),
        ("seeds=" + "9" * 5000, r"--set seeds=9+\.\.\.: 9+\.\.\.: expected a number of at most 64 bits"),
        ("jobs.train.epoch=1", r"--set: jobs\[0\]\.train\.epoch: unknown key \(did you mean 'epochs'\?\)"),
        ("jobs.train.epochs=none", r"--set: jobs\[0\]\.train\.epochs: input should be a valid integer"),
        ("jobs=3", r"--set: jobs: input should be a valid list, found 3"),
        ("jobs.train.name=x", r"--set jobs\.train\.name=x: the name of a job cannot be set"),
        ("jobs.train={name: x}", r"the name of a job cannot be set"),
        ("jobs.train=", r"--set jobs\.train=: expected a mapping of settings"),
        ("jobs.train=5", r"--set jobs\.train=5: expected a mapping of settings"),
        ("seeds=[1, 1]", r"--set: seeds: a seed is given twice"),
    ],
)
def test_a_bad_override_is_refused(text, reason, tiny, write_suite):
    with pytest.raises((UsageError, ConfigError), match=reason):
        load_suite(write_suite(tiny), overrides=[text])


def test_a_folder_name_stays_short(tiny, write_suite):
    long = load_suite(write_suite(tiny), overrides=["description=" + "x" * 300]).preset
    other = load_suite(write_suite(tiny), overrides=["description=" + "y" * 300]).preset
    assert len(long) < 120
    assert long.startswith("default+")
    assert long != other


@pytest.mark.parametrize("name", ["train", "long"])
def test_a_mapping_changes_only_the_settings_that_it_names(name, tiny, write_suite):
    tiny["jobs"].append({"train": {"name": "long", "epochs": 2, "batch_size": 10, "augment": {"flip": 0.5}}})
    path = write_suite(tiny)
    before = {job.name: job.spec for job in load_suite(path).jobs}
    suite = load_suite(path, overrides=[f"jobs.{name}={{lr: 0.01, augment: {{crop_padding: 2}}}}"])
    after = {job.name: job.spec for job in suite.jobs}
    assert list(after) == list(before)
    augment = {**before[name]["augment"], "crop_padding": 2}
    assert after[name] == {**before[name], "lr": 0.01, "augment": augment}
    assert {**after, name: None} == {**before, name: None}


def test_a_mapping_merges_in_every_section(tiny, write_suite):
    suite = load_suite(write_suite(tiny), overrides=["defaults={dataset: {img_size: 64}}"])
    assert [suite.variants[0].dataset[key] for key in ("img_size", "train_images")] == [64, 40]


@pytest.mark.parametrize("text", ["defaults.dataset.img_size=64", "defaults={dataset: {img_size: 64}}"])
def test_a_data_set_given_by_its_name_alone_keeps_it(text, tiny, write_suite):
    tiny["defaults"]["dataset"] = "fashion"
    changed = load_suite(write_suite(tiny), overrides=[text]).variants[0].dataset
    assert [changed[key] for key in ("name", "img_size")] == ["fashion", 64]


def test_small_numbers_may_be_written_without_a_dot(tiny, write_suite):
    tiny["variants"][0]["mixer"] = "ls_conv"
    overrides = ["jobs.train.lr=1e-3", "defaults.mixer_args={a: 1e-3}", "defaults.model_args.b=2E-3"]
    suite = load_suite(write_suite({**tiny, "variants": [{"mixer": "ls_conv"}]}), overrides=overrides)
    assert suite.jobs[0].spec["lr"] == 0.001
    assert (suite.variants[0].mixer_args, suite.variants[0].model_args) == ({"a": 0.001}, {"b": 0.002})


@pytest.mark.parametrize(
    "texts",
    [
        ["seeds=[1]", "seeds=[2]"],
        ["seeds=[1]", "seeds=[1]"],
        ["jobs.train.lr=1", "jobs.train={lr: 2}"],
        ["jobs.train={lr: 2, epochs: 1}", "jobs.train.epochs=1"],
        ["jobs=[profile]", "jobs.train.lr=1"],
        ["jobs.train.augment={}", "jobs.train.augment.flip=0"],
        ["jobs.train. lr=1", "jobs.train.lr=2"],
    ],
)
def test_a_setting_is_given_once(texts, tiny, write_suite):
    with pytest.raises(UsageError, match=r"is given twice, first by --set "):
        load_suite(write_suite(tiny), overrides=texts)


def test_settings_of_one_job_can_be_given_apart(tiny, write_suite):
    suite = load_suite(write_suite(tiny), overrides=["jobs.train={lr: 0.5}", "jobs.train.epochs=7"])
    assert (suite.jobs[0].spec["lr"], suite.jobs[0].spec["epochs"]) == (0.5, 7)


SETS = [
    *(
        ["description=a/b"],
        ["description=a_b"],
        ["description=A_b"],
        ["description=a+b"],
        ["description=a", "b"],
    ),
    *(["description=é"], ["description=e\u0301"], ["description=a\u00a0b"], ["description=a b"]),
    *(["description=a "], ["description=a"], ["description=a."], ["description=a~b"], ["description=a\nb"]),
    *(["description=" + "x" * length] for length in (90, 120, 121, 300)),
    *(["description=" + "/" * length] for length in (90, 120, 121, 300)),
    *(["description=" + "é" * length] for length in (60, 90, 121, 300)),
    *(["root=/data"], ["root=_data"], ["root=/Data"], ["root=data"]),
]


def test_two_sets_of_changes_never_share_a_folder():
    """Also where capitals are not kept apart, accents are rewritten, or spaces at the end are cut."""
    names = [
        folder_of_preset(preset, texts, limit)
        for texts in SETS
        for preset in ("p", "q")
        for limit in (None, 3)
    ]
    assert len({name.casefold().rstrip(" .") for name in names}) == len(names)
    assert all(name.isascii() and "/" not in name and len(name) <= 140 for name in names)


def test_names_from_before_stay_where_nothing_is_lost():
    for texts in (
        ["jobs.train.epochs=5"],
        ["seeds=[4, 5]", "baseline=id"],
        ["jobs.train={lr: 0.01}"],
        [],
        ["x=" + "y" * 300],
    ):
        assert folder_of_preset("p", texts, 3) == folder_of_preset_before("p", texts, 3)
    assert folder_of_preset("p", ["description=a/b"], None).startswith("p+description=a_b~")


def test_a_suite_knows_the_folder_of_before(tiny, write_suite):
    path = write_suite(tiny)
    suite = load_suite(path, overrides=["description=a/b"])
    assert suite.preset_before == "default+description=a_b"
    assert "preset_before" not in suite.model_dump()
    assert load_suite(path, overrides=["description=a_b"]).preset_before is None
