import pytest
from pydantic import ValidationError

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
