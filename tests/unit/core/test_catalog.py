from pathlib import Path

import pytest
import timm

from lsbench.core import catalog
from lsbench.core.catalog import (
    counted_macs,
    known_macs,
    macs_key,
    model_names,
    outside_family_models,
    pluggable_models,
    read_catalog,
    registered_models,
    timm_models,
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


def test_names_of_timm_are_read_from_its_source_as_timm_itself_lists_them():
    folder = Path(timm.__file__).parent / "models"
    # Other tests of this process may have registered more.
    assert registered_models(folder) == {
        name for name in timm.list_models() if timm.model_entrypoint(name).__module__.startswith("timm.")
    }


def test_another_version_of_timm_than_the_catalogs_is_read(monkeypatch):
    assert timm_models() == frozenset()
    known = read_catalog()
    older = {**known, "timm": "0.1", "models": [name for name in known["models"] if name != "resnet18"]}
    monkeypatch.setattr(catalog, "read_catalog", lambda: older)
    timm_models.cache_clear()
    assert unknown_model("resnet18") is None
    assert "resnet18" in model_names()
    monkeypatch.undo()
    timm_models.cache_clear()


NET = "raise RuntimeError('imported')"


def test_models_of_another_package_are_known_by_name_without_being_imported(install):
    install(
        {"acme.net": NET, "acme.family": 'MODELS = ("acme_t", "acme_s")\n' + NET},
        {"lsbench.models": {"acme_net": "acme.net"}, "lsbench.families": {"acme": "acme.family"}},
    )
    assert [unknown_model(name) for name in ("acme_net", "acme_t", "acme_s")] == [None, None, None]
    assert unknown_model("acme_nett") == "unknown model 'acme_nett' (did you mean 'acme_net'?)"
    assert outside_family_models() == {"acme_t": "acme", "acme_s": "acme"}
    assert pluggable_models()[-2:] == ["acme_t", "acme_s"]
    assert "acme_net" in model_names()
    assert "acme_net" not in pluggable_models()


def test_a_model_of_two_packages_is_refused_and_both_are_named(install):
    install({"acme.net": NET}, {"lsbench.models": {"resnet18": "acme.net", "lsnet_t": "acme.net"}})
    assert unknown_model("resnet18").startswith(
        "model 'resnet18' is offered twice: by lsbench or timm and by "
    )
    assert "acme-plugin 0.1" in unknown_model("lsnet_t")


def test_a_family_whose_names_cannot_be_read_is_told_where_a_name_is_not_known(install):
    install({"acme.family": "MODELS = tuple('ab')"}, {"lsbench.families": {"acme": "acme.family"}})
    assert outside_family_models() == {}
    assert unknown_model("resnet18") is None
    message = unknown_model("acme_t")
    assert message.startswith("unknown model 'acme_t'")
    assert (
        "model family 'acme' (entry point lsbench.families: acme = acme.family of acme-plugin 0.1)" in message
    )
    assert "a literal tuple of names" in message


def test_a_model_may_have_a_tag_of_weights_or_be_named_by_a_hub_or_a_folder(tmp_path):
    for name in (
        "resnet18.a1_in1k",
        "vit_base_patch16_224.augreg2_in21k_ft_in1k",
        "hf-hub:timm/resnet18.a1_in1k",
    ):
        assert unknown_model(name) is None
    assert unknown_model("resnet18.a1_in2k").startswith(
        "model 'resnet18' has no weights with the tag 'a1_in2k' (did you mean 'a1_in1k'?); its tags: a1_in1k"
    )
    assert unknown_model("lsnet_t.in1k") == "model 'lsnet_t' has no weights with the tag 'in1k'; it has none"
    (tmp_path / "config.json").write_text('{"architecture": "lsnet_x"}')
    assert unknown_model(f"local-dir:{tmp_path}").startswith(
        f"model 'local-dir:{tmp_path}': unknown model 'lsnet_x'"
    )
    (tmp_path / "config.json").write_text('{"architecture": "lsnet_t"}')
    assert unknown_model(f"local-dir:{tmp_path}") is None
    sized = {"model": f"local-dir:{tmp_path}"}
    assert known_macs(sized, 224) == counted_macs(sized, 224) == counted_macs({"model": "lsnet_t"}, 224)


def test_tags_of_another_timm_are_left_to_it(monkeypatch):
    monkeypatch.setattr(catalog, "version", lambda name: "0.0")
    assert unknown_model("resnet18.new_in1k") is None
