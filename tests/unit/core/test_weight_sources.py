import inspect

import pytest

from lsbench.core.weight_sources import refused_arguments


def places(arguments, *, takes_checkpoint=True):
    return [
        ".".join(map(str, path))
        for path, _ in refused_arguments(arguments, takes_checkpoint=takes_checkpoint)
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {"checkpoint": "weights.pth"},
        {"checkpoint": "https://example.org/weights.pth"},
        {"pretrained": True},
        {"pretrained": None},
        {"drop_path": 0.1, "drop_path_rate": 0.1, "weight_init": "jax"},
        {"pretrained_window_sizes": [8, 8, 8, 8]},
        {"features_only": True, "out_indices": [1, 2], "act_layer": "gelu", "img_size": 224},
        {"embed_dims": [16, 32], "block_args": {"norm_layer": "layernorm2d"}},
        {1: "one"},
        None,
        "not a mapping",
    ],
)
def test_ordinary_arguments_pass(arguments):
    assert places(arguments) == []


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"checkpoint_path": "evil.pth"}, "checkpoint_path"),
        ({"checkpoint_path": None}, "checkpoint_path"),
        ({"pretrained_cfg": "a_tag"}, "pretrained_cfg"),
        ({"pretrained_cfg_overlay": {"file": "evil.pth"}}, "pretrained_cfg_overlay"),
        ({"pretrained_model_args": {}}, "pretrained_model_args"),
        ({"cache_dir": "/tmp/planted"}, "cache_dir"),
        ({"hf_hub_id": "someone/model"}, "hf_hub_id"),
        ({"model_args": {"Checkpoint_Path": "x"}}, "model_args.Checkpoint_Path"),
        ({"pretrained_path": "evil"}, "pretrained_path"),
        ({"backbone": {"ckpt": "evil"}}, "backbone.ckpt"),
        ({"backbone": {"checkpoint": "evil"}}, "backbone.checkpoint"),
        ({"stages": [{"init": "x"}, {"weights_file": "x"}]}, "stages.1.weights_file"),
        ({"init": "evil.pt"}, "init"),
        ({"init": ["a", "https://example.org/x"]}, "init.1"),
        ({"init": "hf-hub:someone/model"}, "init"),
        ({"init": "local-dir:/tmp/planted"}, "init"),
        ({"init": "FILE:///tmp/evil"}, "init"),
        ({"pretrained": "evil.pth"}, "pretrained"),
        ({"pretrained": 1}, "pretrained"),
    ],
)
def test_files_and_addresses_are_refused_at_any_depth(arguments, place):
    assert places(arguments) == [place]


def test_a_mixer_takes_no_checkpoint():
    assert places({"checkpoint": "x"}, takes_checkpoint=False) == ["checkpoint"]


def test_every_argument_of_timm_that_chooses_weights_is_refused():
    import timm
    from timm.models import PretrainedCfg, build_model_with_cfg

    named = {*inspect.signature(timm.create_model).parameters, *PretrainedCfg.__dataclass_fields__}
    named |= {*inspect.signature(build_model_with_cfg).parameters}
    words = ("path", "url", "file", "hub", "cfg_overlay", "state_dict", "cache")
    sources = {name for name in named if any(word in name for word in words)}
    assert {"checkpoint_path", "pretrained_cfg_overlay", "url", "file"} <= sources
    sources -= {"origin_url"}  # where a paper's code lies: only shown
    assert [name for name in sorted(sources) if not places({name: "x"})] == []
