import pytest
import timm

from lsbench.core.catalog import (
    counted_macs,
    known_macs,
    macs_key,
    model_names,
    pluggable_models,
    read_catalog,
    unknown_model,
)

LSNET_T = {"model": "lsnet_t", "mixer": None, "mixer_args": {}, "model_args": {}}


def test_models_of_timm_and_of_the_family_are_known_without_importing_them():
    names = model_names()
    assert {"lsnet_nano", "lsnet_t", "resnet18", "deit_tiny_patch16_224"} <= set(names)
    assert set(timm.list_models("resnet*")) & set(names)
    assert sorted(names) == read_catalog()["models"]


def test_models_that_take_a_mixer_come_first():
    ours = pluggable_models()
    assert model_names()[: len(ours)] == ours
    assert "lsnet_t" in ours
    assert "resnet18" not in ours


def test_an_unknown_model_is_named_with_the_nearest():
    assert unknown_model("resnet18") is None
    assert unknown_model("resnet_18").startswith("unknown model 'resnet_18' (did you mean '")
    assert unknown_model("???") == "unknown model '???'; see `lsbench list models`"


def test_a_key_tells_apart_all_that_changes_the_cost_and_nothing_else():
    def key(size=224, **changes):
        return macs_key({**LSNET_T, **changes}, size, is_pluggable=True)

    same = {
        key(),
        key(mixer="ls_conv"),
        macs_key({"model": "lsnet_t"}, 224, is_pluggable=True),
    }
    assert len(same) == 1
    ordered = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert len({key(mixer_args=args) for args in ordered}) == 1
    different = [
        key(),
        key(size=112),
        key(mixer="identity"),
        key(mixer_args={"a": 1}),
        key(model_args={"a": 1}),
        macs_key(LSNET_T, 224, is_pluggable=False),
    ]
    assert len(set(different)) == len(different)


def test_weights_change_no_cost():
    plain = counted_macs(LSNET_T, 224)
    for args in ({"pretrained": True}, {"checkpoint": "a.pth"}):
        assert counted_macs({**LSNET_T, "model_args": args}, 224) == plain


def test_the_parts_of_a_model_have_their_own_cost():
    usual = counted_macs(LSNET_T, 224)
    large = counted_macs({**LSNET_T, "mixer_args": {"kernel_large": 9}}, 224)
    without_se = counted_macs({**LSNET_T, "model_args": {"has_se": False}}, 224)
    assert without_se < usual < large


def test_what_was_not_counted_is_estimated_from_the_nearest():
    usual = known_macs(LSNET_T, 224)
    assert usual == counted_macs(LSNET_T, 224)
    assert counted_macs(LSNET_T, 112) is None
    assert known_macs(LSNET_T, 112) == pytest.approx(usual / 4)
    assert known_macs({**LSNET_T, "mixer_args": {"kernel_large": 13}}, 224) == usual


def test_macs_that_nobody_counted_are_none():
    assert known_macs({"model": "resnet18d"}, 224) is None
    assert known_macs({**LSNET_T, "mixer": "no_such_mixer"}, 224) is None
    assert known_macs({**LSNET_T, "model_args": {"depths": [1, 1, 1, 1]}}, 224) is None
