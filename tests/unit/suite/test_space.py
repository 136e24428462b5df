import pytest
from pydantic import ValidationError

from lsbench.suite.space import Dimension, Search, SearchEntry


def search(**more):
    fields = {"job": "train", "space": {"lr": {"choice": [1, 2]}}, "metric": "val_top1", "mode": "max"}
    fields |= {"trials": 8, "epochs": 9, "algorithm": {"name": "asha"}, "seed": 0}
    return Search.model_validate({**fields, **more})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "exactly one of"),
        ({"uniform": [0, 1], "choice": [1]}, "exactly one of"),
        ({"uniform": [1, 1]}, "low < high"),
        ({"log_uniform": [0, 1]}, "above 0"),
        ({"choice": []}, "at least 1 item"),
    ],
)
def test_a_dimension_is_one_range_that_holds_something(values, reason):
    with pytest.raises(ValidationError, match=reason):
        Dimension.model_validate(values)


def test_values_are_settled_within_their_bounds_and_short():
    assert Dimension(uniform=(0.0, 0.2)).settle(0.123456789) == 0.1235
    assert Dimension(log_uniform=(1.23461e-4, 1e-2)).settle(1.23462e-4) == 1.235e-4
    assert Dimension(log_uniform=(1.23449e-4, 1e-2)).settle(1.2345e-4) == 1.23449e-4
    assert Dimension(log_uniform=(1e-4, 1e-2)).settle(0.012) == 1e-2
    assert Dimension(int_uniform=(1, 8)).settle(9.6) == 8
    assert Dimension(choice=["a", 0.123456789]).settle(0.123456789) == 0.123456789


def test_only_finite_dimensions_have_a_size():
    assert Dimension(uniform=(0, 1)).size is None
    assert Dimension(int_uniform=(2, 4)).size == 3
    assert Dimension(choice=[0.1, 0.1, "x"]).size == 2


def test_both_ends_or_all_choices_are_checked():
    assert Dimension(int_uniform=(2, 4)).samples_to_check() == [2, 4]
    assert Dimension(choice=[1, 2, 3]).samples_to_check() == [1, 2, 3]


def test_the_direction_decides_what_is_better():
    assert search().is_better(0.5, 0.4)
    assert search(mode="min").is_better(0.4, 0.5)


def test_only_asha_stops_early_and_only_pbt_shares():
    found = {name: search(algorithm={"name": name}) for name in ("asha", "pbt", "tpe")}
    assert [name for name, one in found.items() if one.is_early_stopping] == ["asha"]
    assert [name for name, one in found.items() if one.shares_training] == ["pbt"]


def test_a_search_needs_a_budget():
    with pytest.raises(ValidationError, match="budget"):
        SearchEntry.model_validate({"space": {"lr": {"choice": [1]}}})
