import pytest
from pydantic import ValidationError

from lsbench.engine.named_recipes import NAMED_RECIPES
from lsbench.engine.recipe import Recipe


@pytest.mark.parametrize(
    ("epochs", "every", "expected"),
    [(5, 1, [0, 1, 2, 3, 4]), (5, 2, [1, 3, 4]), (5, 0, [4]), (1, 10, [0]), (6, 3, [2, 5])],
)
def test_the_last_epoch_is_always_validated(epochs, every, expected):
    recipe = Recipe(epochs=epochs, validate_every=every)
    assert [epoch for epoch in range(epochs) if recipe.validates_after(epoch)] == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"lr": 0},
        {"lr": float("inf")},
        {"smoothing": 1.0},
        {"precision": "fp8"},
        {"threads": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError):
        Recipe(**wrong)


@pytest.mark.parametrize(
    ("batch", "most", "ranks", "expected"),
    [
        (64, None, 1, 1),
        (64, None, 2, 2),
        (2048, 256, 1, 8),
        (2048, 256, 8, 8),
        (2048, 256, 16, 16),
        (64, 512, 2, 2),
    ],
)
def test_a_batch_is_cut_into_chunks_that_every_rank_shares(batch, most, ranks, expected):
    assert Recipe(batch_size=batch, device_batch_size=most).chunks(ranks) == expected


def test_a_batch_that_ranks_cannot_share_is_refused():
    with pytest.raises(ValueError, match=r"64 cannot be shared by 3 devices; .* multiple of 3"):
        Recipe(batch_size=64).chunks(3)
    with pytest.raises(ValueError, match=r"cannot be shared by 2 devices in chunks of 32 .* multiple of 64"):
        Recipe(batch_size=96, device_batch_size=32).chunks(2)


def test_mixing_needs_pairs_on_every_device():
    with pytest.raises(ValueError, match=r"on 2 device\(s\) gives chunks of 15; change batch_size"):
        Recipe(batch_size=30, mixup=0.8).check_ranks(2)
    Recipe(batch_size=30, mixup=0.8).check_ranks(1)
    Recipe(batch_size=30).check_ranks(2)


def test_a_protocol_that_no_file_system_has_is_refused_with_the_nearest():
    with pytest.raises(ValidationError, match=r"no protocol 's33' \(did you mean 's3'\?\); give e.g. s3://"):
        Recipe(checkpoint_url="s33://bucket/runs")
    assert Recipe(checkpoint_url="s3://bucket/runs").checkpoint_url == "s3://bucket/runs"


def test_an_unknown_recipe_names_those_there_are():
    with pytest.raises(ValidationError, match="unknown recipe 'lsnet'; there are lsnet_300e, lsnet_100e"):
        Recipe(recipe="lsnet")


def test_a_name_stands_for_settings_that_a_suite_may_change(tiny, make_graph):
    tiny["jobs"][0] = {
        "train": {"recipe": "lsnet_100e", "epochs": 5, "augment": {"erase": 0.5}, "batch_size": 20}
    }
    tiny["jobs"][0]["train"]["device_batch_size"] = 10
    tiny["variants"][1]["jobs"] = {"train": {"weight_decay": 0.05}}
    specs = {
        job.variant.name: job.spec for job in make_graph({**tiny, "seeds": [0]}).jobs if job.kind == "train"
    }
    first = Recipe(**specs["ls"])
    assert (first.epochs, first.mixup, first.weight_decay) == (5, 0.8, 0.025)
    assert (first.augment.erase, first.augment.random_resized_crop) == (0.5, True)
    assert Recipe(**specs["id"]).weight_decay == 0.05
    assert Recipe(**specs["id"]).mixup == 0.8


def test_the_name_itself_changes_no_result(tiny, make_graph):
    ids = []
    for settings in ({"recipe": "lsnet_100e"}, {**NAMED_RECIPES["lsnet_100e"], "data_workers": 3}):
        tiny["jobs"][0] = {"train": settings}
        ids.append([job.id for job in make_graph(tiny).jobs])
    assert ids[0] == ids[1]
