import pytest
import torch
from timm.models.efficientvit_msra import CascadedGroupAttention

from lsbench.models.mixers.cga import CGA


def randomised(module):
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return module.eval()


def test_windows_attend_as_timms_module():
    module = randomised(CGA(32, kernels=(5, 3), key_dim=6, window_size=4))
    original = CascadedGroupAttention(32, 6, 2, attn_ratio=16 / 6, resolution=4, kernels=(5, 3))
    original.eval()
    original.load_state_dict(module.attn.state_dict())
    x = torch.randn(2, 32, 8, 4, generator=torch.Generator().manual_seed(1))
    expected = x + torch.cat([original(x[:, :, :4]), original(x[:, :, 4:])], dim=2)
    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-5)


def test_a_map_smaller_than_a_window_equals_a_module_built_for_it():
    large, small = randomised(CGA(16, kernels=(3, 3), window_size=5)), CGA(16, kernels=(3, 3), window_size=3)
    weights = large.state_dict()
    table = weights["attn.attention_biases"].view(2, 5, 5)  # by vertical, then horizontal distance
    weights["attn.attention_biases"] = table[:, :3, :3].flatten(1)
    small.load_state_dict(weights)
    x = torch.randn(2, 16, 3, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(large(x), small.eval()(x), rtol=1e-4, atol=1e-5)


def test_new_weights_are_used_in_evaluation_at_once():
    module = randomised(CGA(16, window_size=3))
    x = torch.randn(2, 16, 3, 3, generator=torch.Generator().manual_seed(1))
    before = module(x)
    with torch.no_grad():
        module.attn.attention_biases.add_(torch.arange(9.0))
    assert not torch.allclose(module(x), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernels": (3, 3, 3)}, r"3 heads \(kernels\) do not divide the 16 channels"),
        ({"kernels": ()}, r"0 heads \(kernels\)"),
        ({"kernels": (3, 4)}, "kernels must be odd, got 4"),
        ({"window_size": 0}, "window_size must be a positive whole number, got 0"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CGA(16, **options)
