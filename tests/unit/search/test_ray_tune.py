"""What can be told of searching with Ray Tune without starting Ray; the rest is in tests/integration."""

import copy
import pickle

import pytest

from lsbench.search.ray_tune import TuneSearcher, _pbt, _StaysHere
from lsbench.suite.space import Search

SPACE = {
    "lr": {"log_uniform": [1e-4, 1e-2]},
    "weight_decay": {"choice": [0.01, 0.05]},
    "smoothing": {"uniform": [0.0, 0.2]},
    "repeats": {"int_uniform": [1, 3]},
}


def search(**more):
    fields = {"job": "train", "space": SPACE, "metric": "val_top1", "mode": "max"}
    fields |= {"trials": 8, "epochs": 9, "algorithm": {"name": "asha"}, "seed": 0}
    return Search.model_validate({**fields, **more})


def test_settings_are_drawn_in_range_distinct_and_the_same_each_time():
    drawn = TuneSearcher().draw(search())
    assert drawn == TuneSearcher().draw(search())
    assert drawn != TuneSearcher().draw(search(seed=1))
    assert len({str(settings) for settings in drawn}) == 8
    for settings in drawn:
        assert 1e-4 <= settings["lr"] <= 1e-2
        assert settings["weight_decay"] in (0.01, 0.05)
        assert type(settings["repeats"]) is int
        assert 1 <= settings["repeats"] <= 3


def test_more_trials_begin_with_the_same_settings():
    assert TuneSearcher().draw(search(trials=16))[:8] == TuneSearcher().draw(search())


def test_a_finite_space_is_used_up():
    space = {"weight_decay": {"choice": [0.0, 0.1, 0.2]}}
    drawn = TuneSearcher().draw(search(space=space, trials=3))
    assert sorted(settings["weight_decay"] for settings in drawn) == [0.0, 0.1, 0.2]


def test_nothing_is_drawn_where_results_decide():
    assert TuneSearcher().draw(search(algorithm={"name": "tpe"})) == []


def test_a_population_changes_settings_within_their_range_and_keeps_numbers():
    space = {name: SPACE[name] for name in ("lr", "weight_decay", "smoothing")}
    scheduler = _pbt(search(space=space, algorithm={"name": "pbt", "resample": 0.0}))

    class Trial:
        def __init__(self, number, settings):
            self.config = {"trial": {"number": number, "settings": settings}}

    best = Trial(5, {"lr": 1e-2, "weight_decay": 0.05, "smoothing": 0.2})
    for _ in range(20):
        config, _ = scheduler._get_new_config(Trial(3, {}), best)
        assert config["trial"]["number"] == 3
        settings = config["trial"]["settings"]
        assert settings["lr"] in (0.008, 0.01)
        assert settings["weight_decay"] in (0.01, 0.05)
        assert settings["smoothing"] in (0.16, 0.2)
    assert best.config["trial"]["number"] == 5


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_what_lives_in_the_driver_survives_being_copied_by_tune(copied):
    here = _StaysHere()
    here.watcher = object()
    assert isinstance(copied(here), _StaysHere)
