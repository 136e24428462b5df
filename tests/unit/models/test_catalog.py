import pytest
import timm

from lsbench.core.catalog import read_catalog
from lsbench.core.registry import MIXERS
from lsbench.models.catalog import macs_key, measure_macs
from lsbench.models.factory import PLUGGABLE_MODELS

REGENERATE = "run `python -m lsbench.models.catalog`"


def test_every_model_in_it_exists_and_the_family_is_complete():
    names = read_catalog()["models"]
    assert names == sorted(set(names))
    assert set(PLUGGABLE_MODELS) <= set(names), REGENERATE
    assert [name for name in names if not timm.is_model(name)] == [], REGENERATE


def test_every_model_of_the_family_has_a_cost_with_every_mixer():
    keys = {macs_key(name, mixer) for name in PLUGGABLE_MODELS for mixer in MIXERS.names()}
    assert set(read_catalog()["macs"]) == keys, REGENERATE


@pytest.mark.parametrize("name", ["lsnet_nano", "lsnet_t"])
@pytest.mark.parametrize("mixer", MIXERS.names())
def test_costs_are_current(name, mixer):
    assert read_catalog()["macs"][macs_key(name, mixer)] == measure_macs(name, mixer), REGENERATE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lsnet_s", "lsnet_b"])
@pytest.mark.parametrize("mixer", MIXERS.names())
def test_costs_of_the_larger_models_are_current(name, mixer):
    assert read_catalog()["macs"][macs_key(name, mixer)] == measure_macs(name, mixer), REGENERATE
