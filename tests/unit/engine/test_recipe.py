import pytest
from pydantic import ValidationError

from lsbench.engine.named_recipes import NAMED_RECIPES
from lsbench.engine.rates import Cosine
from lsbench.engine.recipe import Recipe


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


def test_mixing_needs_pairs_on_every_device():
    with pytest.raises(ValueError, match=r"on 2 device\(s\) gives chunks of 15; change batch_size"):
        Recipe(batch_size=30, mixup=0.8).check_ranks(2)
    Recipe(batch_size=30, mixup=0.8).check_ranks(1)
    Recipe(batch_size=30).check_ranks(2)


def test_its_schedule_is_the_cosine_of_its_settings():
    found = Recipe(min_lr=1e-6, warmup_epochs=3, warmup_lr=1e-7, lr_step="epoch_late").rate_schedule
    assert found == Cosine(min_lr=1e-6, warmup_epochs=3, warmup_lr=1e-7, lr_step="epoch_late")
    assert Recipe().warm_up is None
    assert Recipe().settling == 1


def test_what_a_task_may_have_is_named_by_its_settings():
    assert (Recipe().averaging, Recipe(ema_decay=0.9).averaging) == (None, 0.9)
    assert (Recipe().is_compiled, Recipe(compile=True).is_compiled) == (False, True)


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
