import pytest
import timm

from lsbench.core.catalog import known_macs, model_names, unknown_model


def test_models_of_timm_and_of_the_family_are_known_without_importing_them():
    names = set(model_names())
    assert {"lsnet_nano", "lsnet_t", "resnet18", "deit_tiny_patch16_224"} <= names
    assert set(timm.list_models("resnet*")) & names


def test_an_unknown_model_is_named_with_the_nearest():
    assert unknown_model("resnet18") is None
    assert unknown_model("resnet_18").startswith("unknown model 'resnet_18' (did you mean '")
    assert unknown_model("???") == "unknown model '???'; see `lsbench list models`"


def test_macs_grow_with_the_area():
    small, large = known_macs("lsnet_t", "ls_conv", 112), known_macs("lsnet_t", "ls_conv", 224)
    assert large == pytest.approx(4 * small)
    assert known_macs("lsnet_t", None, 224) == large


def test_macs_that_nobody_counted_are_none():
    assert known_macs("resnet18", None, 224) is None
    assert known_macs("lsnet_t", "no_such_mixer", 224) is None
