import pytest

from lsbench.core.registry import JOBS
from lsbench.engine.recipe import Recipe

TRAIN = JOBS.load("train")


def test_its_settings_are_the_recipe_and_workers_change_no_result():
    assert TRAIN.spec is Recipe
    assert TRAIN.spec.runtime_fields == {"data_workers"}
    assert TRAIN.per_seed
    assert TRAIN.uses_data


def test_a_step_costs_three_forward_passes():
    images = {"train": 100, "val": 7}.get
    assert TRAIN.cost(Recipe(epochs=4), 2e6, images) == pytest.approx(3 * 2e6 * 4 * 100)
