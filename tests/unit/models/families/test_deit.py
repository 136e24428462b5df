import pytest
import timm
import torch

from lsbench.core.errors import ConfigError
from lsbench.models.factory import create_model
from lsbench.models.families.deit import GridMixer
from lsbench.models.mixers.ls_conv import LSConv

DEPTH, WIDTH = 12, 192


def create(**arguments):
    return timm.create_model("deit_tiny_ls", **{"num_classes": 10, "mixer": "identity", **arguments})


def test_every_self_attention_is_replaced_and_the_rest_is_timms():
    model = create(mixer="ls_conv")
    original = timm.create_model(
        "deit_tiny_patch16_224", num_classes=10, class_token=False, global_pool="avg"
    )
    assert [m.bn.num_features for m in model.modules() if isinstance(m, LSConv)] == [WIDTH] * DEPTH
    ours, theirs = (
        {key: tensor.shape for key, tensor in m.state_dict().items() if ".attn." not in key}
        for m in (model, original)
    )
    assert ours == theirs
    assert "cls_token" not in ours


def test_a_mixer_sees_the_tokens_as_a_map_row_by_row():
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 3, 3, padding=1)
    image = torch.randn(2, 3, 4, 5)
    tokens = torch.stack([image[:, :, y, x] for y in range(4) for x in range(5)], dim=1)
    mixed = convolution(image)
    expected = torch.stack([mixed[:, :, y, x] for y in range(4) for x in range(5)], dim=1)
    found = GridMixer(convolution, (4, 5))(tokens)
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match="no attention mask"):
        GridMixer(convolution, (4, 5))(tokens, attn_mask=torch.ones(20, 20))


def test_without_mixing_a_block_only_normalises_and_mixes_channels():
    torch.manual_seed(0)
    block, x = create(img_size=32).eval().blocks[3], torch.randn(2, 4, WIDTH)
    mixed = x + block.norm1(x)
    torch.testing.assert_close(block(x), mixed + block.mlp(block.norm2(mixed)))


def test_the_head_reads_the_mean_of_all_patches():
    torch.manual_seed(0)
    model, x = create(img_size=48).eval(), torch.randn(2, 3, 48, 48)
    tokens = model.forward_features(x)
    assert tokens.shape == (2, 9, WIDTH)
    pooled = model.fc_norm(tokens.mean(1))
    torch.testing.assert_close(model.forward_head(tokens, pre_logits=True), pooled)
    torch.testing.assert_close(model(x), model.head(pooled))
    model.reset_classifier(4)
    assert model(x).shape == (2, 4)
    assert model.get_submodule(model.pretrained_cfg["classifier"]).out_features == 4


def test_factory_passes_mixer_size_and_arguments():
    model = create_model(
        "deit_tiny_ls",
        mixer="large_small_static",
        mixer_args={"kernel_large": 5},
        num_classes=3,
        img_size=32,
        in_chans=1,
        drop_path_rate=0.1,
    )
    assert {type(m).__name__ for m in model.modules()} >= {"LargeSmallStatic", "DropPath"}
    assert model.eval()(torch.zeros(2, 1, 32, 32)).shape == (2, 3)


def test_the_grid_follows_the_image():
    model = create(img_size=(32, 64), mixer="large_small_static").eval()
    assert model(torch.zeros(1, 3, 32, 64)).shape == (1, 10)
    model.set_input_size((64, 48))
    assert {block.attn.grid for block in model.blocks} == {(4, 3)}
    assert model(torch.zeros(1, 3, 64, 48)).shape == (1, 10)


def test_timm_makes_a_feature_extractor_of_it():
    extractor = create(features_only=True, img_size=64).eval()
    assert [f.shape[1:] for f in extractor(torch.zeros(1, 3, 64, 64))] == [(WIDTH, 4, 4)] * 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"drop_path_rat": 0.1}, "has no option 'drop_path_rat' (did you mean 'drop_path_rate'?)"),
        ({"class_token": True}, "has no option 'class_token'"),
        ({"global_pool": "token"}, "there is no class token to pool"),
        ({"pretrained": True}, "no pretrained weights come with lsbench"),
        ({"mixer_args": {"dims": 3}}, "mixer 'identity' has no option 'dims'"),
    ],
)
def test_wrong_options_are_explained(arguments, line):
    with pytest.raises(ConfigError) as caught:
        create(**arguments)
    (problem,) = caught.value.problems
    assert line in problem
