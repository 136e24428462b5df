import pytest
import timm
import torch

from lsbench.core.errors import ConfigError
from lsbench.models.factory import create_model
from lsbench.models.families.lsnet import MODELS
from lsbench.models.mixers.ls_conv import LSConv

PARAMS = {"lsnet_t": 11_409_832, "lsnet_s": 16_146_304, "lsnet_b": 23_313_608}


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_parameters_are_those_of_the_released_code(name):
    with torch.device("meta"):
        model = create_model(name, num_classes=1000, img_size=224)
    assert sum(p.numel() for p in model.parameters()) == PARAMS[name]


@pytest.mark.parametrize("name", MODELS)
def test_timm_knows_the_family(name):
    with torch.device("meta"):
        model = timm.create_model(name, mixer="identity", num_classes=10)
    size = model.pretrained_cfg["input_size"][-1]
    assert size == (32 if name == "lsnet_nano" else 224)
    assert model.get_submodule(model.pretrained_cfg["classifier"]).out_features == 10
    assert model.get_submodule(model.pretrained_cfg["first_conv"]).in_channels == 3


def test_no_weights_are_pretended():
    with pytest.raises(ConfigError, match="no pretrained weights"):
        timm.create_model("lsnet_t", pretrained=True)


def test_nano_is_small_and_has_ls_convolution_in_three_stages():
    model = timm.create_model("lsnet_nano", num_classes=10).eval()
    assert 200_000 < sum(p.numel() for p in model.parameters()) < 500_000
    sizes = []
    for module in model.modules():
        if isinstance(module, LSConv):
            module.register_forward_hook(lambda m, x, y: sizes.append(y.shape[-1]))
    model(torch.zeros(1, 3, 32, 32))
    assert sizes == [8, 4, 2]
