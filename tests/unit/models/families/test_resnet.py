import pytest
import timm
import torch
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.models.factory import create_model
from lsbench.models.mixers.identity import Identity
from lsbench.models.mixers.ls_conv import LSConv

BLOCKS = 16


def create(**arguments):
    return timm.create_model("resnet50_ls", **{"num_classes": 10, "mixer": "identity", **arguments})


def test_every_3x3_convolution_is_replaced_and_nothing_else():
    with torch.device("meta"):
        model, original = create(mixer="ls_conv"), timm.create_model("resnet50", num_classes=10)
    sizes = [conv.out_channels for conv in original.modules() if kernel_of(conv) == (3, 3)]
    assert [m.bn.num_features for m in model.modules() if isinstance(m, LSConv)] == sizes
    assert len(sizes) == BLOCKS
    ours, theirs = (
        {key: tensor.shape for key, tensor in m.state_dict().items() if ".conv2." not in key}
        for m in (model, original)
    )
    assert ours == theirs


def kernel_of(module):
    return module.kernel_size if isinstance(module, nn.Conv2d) else None


def test_the_mixer_works_on_the_halved_map():
    model, sizes = create().eval(), []
    for module in model.modules():
        if isinstance(module, Identity):
            module.register_forward_hook(lambda m, x, y: sizes.append(tuple(y.shape[1:])))
    assert model(torch.zeros(1, 3, 64, 96)).shape == (1, 10)
    expected = [(64, 16, 24)] * 3 + [(128, 8, 12)] * 4 + [(256, 4, 6)] * 6 + [(512, 2, 3)] * 3
    assert sizes == expected


def test_without_mixing_a_block_is_what_surrounds_it():
    torch.manual_seed(0)
    model = create(zero_init_last=False).eval()
    block, x = model.layer1[1], torch.randn(2, 256, 5, 4)
    branch = block.bn3(block.conv3(block.bn2(block.bn1(block.conv1(x)).relu()).relu()))
    torch.testing.assert_close(block(x), (x + branch).relu())


def test_factory_passes_the_mixer_and_leaves_the_size_out():
    model = create_model(
        "resnet50_ls",
        mixer="large_small_static",
        mixer_args={"kernel_large": 5},
        num_classes=3,
        img_size=40,
        in_chans=1,
        drop_path_rate=0.1,
        drop_rate=0.2,
    )
    assert {type(m).__name__ for m in model.modules()} >= {"LargeSmallStatic", "DropPath"}
    assert model.eval()(torch.zeros(2, 1, 40, 40)).shape == (2, 3)


def test_head_is_timms():
    model = create(num_classes=0).eval()
    x = torch.zeros(1, 3, 64, 64)
    features = model.forward_features(x)
    assert features.shape == (1, 2048, 2, 2)
    assert model(x).shape == model.forward_head(features, pre_logits=True).shape == (1, 2048)
    model.reset_classifier(4, "max")
    assert model(x).shape == (1, 4)
    assert model.get_submodule(model.pretrained_cfg["classifier"]).out_features == 4


def test_timm_makes_a_feature_extractor_of_it():
    extractor = create(features_only=True, out_indices=(1, 4)).eval()
    assert extractor.feature_info.reduction() == [4, 32]
    assert [f.shape[1:] for f in extractor(torch.zeros(1, 3, 64, 64))] == [(256, 16, 16), (2048, 2, 2)]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"drop_path_rat": 0.1}, "has no option 'drop_path_rat' (did you mean 'drop_path_rate'?)"),
        ({"mixr": "identity"}, "has no option 'mixr' (did you mean 'mixer'?)"),
        ({"layers": (1, 1, 1, 1)}, "has no option 'layers'"),
        ({"pretrained": True}, "no pretrained weights come with lsbench"),
        ({"output_stride": 16}, "output_stride must be 32 or left out, got 16: token mixers are not dilated"),
    ],
)
def test_wrong_options_are_explained(arguments, line):
    with pytest.raises(ConfigError) as caught:
        create(**arguments)
    (problem,) = caught.value.problems
    assert problem.startswith("model 'resnet50_ls'")
    assert line in problem
