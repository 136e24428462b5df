import pytest
import torch
from torch.nn import functional as F

from lsbench.models.mixers.od_conv import ODConv


@pytest.mark.parametrize("temperature", [1, 2])
def test_equals_its_definition(temperature):
    torch.manual_seed(0)
    module = ODConv(8, num_experts=3, temperature=2.0).double().eval()
    conv = module.module
    if temperature == 2:
        conv.shares.set_epoch(0, 1)
    norm = conv.squeeze.norm
    for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        torch.nn.init.uniform_(tensor, 0.2, 1.5)
    x = torch.randn(2, 8, 5, 4, dtype=torch.float64)
    for image, found in zip(x, module(x), strict=True):
        z = conv.squeeze.fc.weight @ image.mean((1, 2)) - norm.running_mean
        z = (z / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias).relu()
        shares = ((conv.shares.score.weight @ z + conv.shares.score.bias) / temperature).softmax(0)
        kernel = sum(share * expert for share, expert in zip(shares, conv.experts, strict=True))
        kernel = kernel.view(8, 1, 3, 3) * conv.tap(z).sigmoid().view(3, 3)
        # The attention over channels is the input's, as the paper writes it.
        scaled = image * conv.channel(z).sigmoid()[:, None, None]
        branch = F.conv2d(scaled[None], kernel, padding=1, groups=8)
        torch.testing.assert_close(found, (image + module.bn(branch))[0])


def test_the_squeezed_vector_has_sixteen_numbers_at_least():
    assert ODConv(32).module.squeeze.fc.out_features == 16
    assert ODConv(384).module.squeeze.fc.out_features == 24


def test_weights_from_before_the_normalisation_give_what_they_gave():
    torch.manual_seed(0)
    module, x = ODConv(8).double().eval(), torch.randn(2, 8, 5, 4, dtype=torch.float64)
    state = module.state_dict()
    for name in [name for name in state if "squeeze.norm" in name]:
        del state[name]
    state["module.squeeze.fc.bias"] = bias = torch.randn(16, dtype=torch.float64)
    for name in ("weight", "bias"):
        state[f"module.shares.fc.{name}"] = state.pop(f"module.shares.score.{name}")
    module.load_state_dict(state)
    conv = module.module
    for image, found in zip(x, module(x), strict=True):
        z = (conv.squeeze.fc.weight @ image.mean((1, 2)) + bias).relu()
        kernel = torch.einsum("e,ect->ct", (conv.shares.score(z) / 30).softmax(0), conv.experts)
        kernel = kernel * conv.tap(z).sigmoid() * conv.channel(z).sigmoid()[:, None]
        branch = F.conv2d(image[None], kernel.view(8, 1, 3, 3), padding=1, groups=8)
        torch.testing.assert_close(found, (image + module.bn(branch))[0])
