import pytest
import torch
from torch.nn import functional as F

from lsbench.models.fusion import fuse
from lsbench.models.mixers.cot import CoT


def test_equals_its_definition():
    torch.manual_seed(0)
    module = CoT(16, channels_per_group=4).double().eval()
    cot = module.module
    x = torch.randn(2, 16, 5, 4, dtype=torch.float64)
    key = cot.key[0](x).relu()
    weights = cot.weights(torch.cat([key, x], 1)).view(2, 1, 4, 9, 5, 4)
    patches = F.unfold(cot.value(x), 3, padding=1).view(2, 4, 4, 9, 5, 4)
    dynamic = F.silu(cot.norm((patches * weights).sum(3).view(x.shape)))
    attention = cot.share
    pooled = (key + dynamic).mean((2, 3), keepdim=True)
    hidden = attention.bn(attention.fc_reduce(pooled)).relu()
    assert attention.fc_select.bias.all()
    logits = F.conv2d(hidden, attention.fc_select.weight) + attention.fc_select.bias[:, None, None]
    share = torch.sigmoid(logits[:, :16] - logits[:, 16:])  # a softmax of two
    torch.testing.assert_close(module(x), x + module.bn(share * key + (1 - share) * dynamic))


def test_channel_c_uses_weight_c_modulo_groups():
    module = CoT(16, channels_per_group=4).eval().module
    assert module.groups == 4
    assert module.weights[2].out_channels == 4 * 9


@pytest.mark.parametrize("option", ["key_groups", "reduction"])
def test_groups_and_reduction_divide_the_channels(option):
    with pytest.raises(ValueError, match=f"{option} 3 does not divide the 16 channels"):
        CoT(16, **{option: 3})


def test_it_stays_the_same_when_the_model_around_it_is_fused():
    torch.manual_seed(0)
    module, x = CoT(16).double().eval(), torch.randn(2, 16, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(fuse(module)(x), module(x))


def test_weights_from_before_the_fusion_had_a_bias_get_zeros():
    module = CoT(16)
    state = module.state_dict()
    del state["module.share.fc_select.bias"]
    module.load_state_dict(state)
    assert not module.module.share.fc_select.bias.any()
