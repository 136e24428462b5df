import itertools

import pytest
import torch
from torch import nn

from lsbench.models.checkpoint_layouts import unwrap

OWN = {"stem.weight": torch.zeros(2, 3), "stages.0.norm.bias": torch.zeros(2), "fc.weight": torch.zeros(4, 2)}
RAW = {name: torch.full_like(tensor, 1.0) for name, tensor in OWN.items()}
EMA = {name: torch.full_like(tensor, 2.0) for name, tensor in OWN.items()}
COUNT = torch.tensor(7)


def under(prefix, state, **more):
    return {**{f"{prefix}{name}": tensor for name, tensor in state.items()}, **more}


def body(state):
    return {name: tensor for name, tensor in state.items() if name != "fc.weight"}


#: Layout -> the file's content, and the kinds of weights in it.
LAYOUTS = {
    "a state dict": (RAW, "raw"),
    "timm": ({"epoch": 3, "arch": "x", "state_dict": RAW, "state_dict_ema": EMA, "metric": 0.7}, "both"),
    "timm, no average": ({"epoch": 3, "state_dict": RAW, "optimizer": {}, "version": 2}, "raw"),
    "timm, average alone": ({"state_dict_ema": EMA}, "ema"),
    "DeiT": ({"model": RAW, "model_ema": EMA, "scaler": {"scale": 1.0}, "args": None}, "both"),
    "DeiT, no average": ({"model": RAW, "model_ema": None, "optimizer": {}}, "raw"),
    "torchvision references": (
        {"model": RAW, "model_ema": under("module.", EMA, n_averaged=COUNT), "lr_scheduler": {}},
        "both",
    ),
    "SWA": (under("module.", EMA, n_averaged=COUNT), "ema"),
    "Lightning": (
        {
            "state_dict": under("model.", RAW, **{"loss.weight": torch.ones(4)}),
            "pytorch-lightning_version": "2",
        },
        "raw",
    ),
    "Lightning, compiled": ({"state_dict": under("net._orig_mod.", RAW), "hyper_parameters": {}}, "raw"),
    "Lightning with an average": (
        {"state_dict": under("net.", RAW) | under("ema.module.", EMA, **{"ema.n_averaged": COUNT})},
        "both",
    ),
    "mmpretrain": (
        {
            "meta": {"epoch": 3},
            "state_dict": under("backbone.", body(RAW)) | {"head.fc.weight": RAW["fc.weight"]},
        },
        "raw",
    ),
    "mmpretrain with an average": (
        {
            "meta": {},
            "state_dict": under("backbone.", body(EMA)) | {"head.fc.weight": EMA["fc.weight"]},
            "ema_state_dict": under("module.backbone.", body(RAW))
            | {"module.head.fc.weight": RAW["fc.weight"], "steps": COUNT},
        },
        "both",
    ),
    "DINO": (
        {
            "student": under("module.backbone.", RAW, **{"module.head.mlp.0.weight": torch.ones(3)}),
            "teacher": under("backbone.", EMA, **{"head.last_layer.weight_g": torch.ones(3)}),
            "dino_loss": {"center": torch.ones(1)},
            "epoch": 3,
        },
        "both",
    ),
    "DINO in one module": (
        {"model": under("student.backbone.", RAW) | under("teacher.backbone.", EMA)},
        "both",
    ),
    **{
        f"{' in '.join(order)}": (under("".join(order), RAW), "raw")
        for order in itertools.permutations(("module.", "_orig_mod.", "model."))
    },
}


def is_equal(found, state):
    return found.keys() == state.keys() and all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_models_weights_are_found_the_average_first(layout):
    content, kinds = LAYOUTS[layout]
    found, taken = unwrap(content, OWN)
    assert is_equal(found, RAW if kinds == "raw" else EMA)
    assert taken == ("ema" if kinds == "both" else None)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_kind_that_is_asked_for_is_taken_or_refused(layout):
    content, kinds = LAYOUTS[layout]
    for kind, state in (("raw", RAW), ("ema", EMA)):
        if kinds == "both":
            found, taken = unwrap(content, OWN, kind)
            assert (is_equal(found, state), taken) == (True, kind)
        elif kinds != kind or layout == "a state dict" or layout.startswith(("module", "_orig", "model")):
            with pytest.raises(ValueError, match="leave checkpoint_weights out"):
                unwrap(content, OWN, kind)
        else:
            assert is_equal(unwrap(content, OWN, kind)[0], state)


def test_a_segmenters_backbone_is_taken_without_its_heads():
    more = {"decode_head.conv_seg.weight": torch.ones(5, 2), "auxiliary_head.conv.weight": torch.ones(3)}
    content = {"meta": {}, "state_dict": under("backbone.", body(RAW)) | more}
    assert is_equal(unwrap(content, OWN)[0], body(RAW))


def test_names_that_a_models_filter_changes_lose_the_module_around_them():
    other = {"downsample.0.weight": torch.ones(2), "blocks.0.gamma": torch.ones(2)}
    for prefix in ("", "model.", "backbone."):
        assert is_equal(unwrap({"state_dict": under(prefix, other)}, OWN)[0], other)
        assert is_equal(unwrap(under(prefix, other))[0], under(prefix, other) if not prefix else other)


def test_names_of_a_models_own_that_look_like_wrappers_stay():
    own = under("backbone.", OWN) | {"neck.weight": torch.zeros(3)}
    state = under("backbone.", RAW) | {"neck.weight": torch.ones(3)}
    assert is_equal(unwrap(state, own)[0], state)


def test_an_average_of_torch_is_the_average_of_its_model():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    averaged = torch.optim.swa_utils.AveragedModel(net)
    assert is_equal(unwrap(averaged.state_dict(), net.state_dict())[0], net.state_dict())


def test_what_holds_no_weights_is_said():
    for content, reason in (
        ([1], "no weights by name"),
        ({}, "no weights by name"),
        ({"a": 1}, "'a' is not a"),
    ):
        with pytest.raises(ValueError, match=reason):
            unwrap(content, OWN)
