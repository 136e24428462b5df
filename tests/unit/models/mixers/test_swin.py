import pytest
import torch
from timm.models.swin_transformer import SwinTransformerBlock

from lsbench.models.mixers.swin import Swin


@pytest.mark.parametrize("shift", [0, 2], ids=["plain", "shifted"])
@pytest.mark.parametrize("size", [(8, 12), (4, 4)], ids=str)
def test_each_half_of_the_heads_attends_as_timms_block(shift, size):
    torch.manual_seed(0)
    module = Swin(32, window_size=4, head_dim=8).eval()
    used, other = (module.shifted, module.plain) if shift else (module.plain, module.shifted)
    for part in (other.proj.weight, other.proj.bias):
        torch.nn.init.zeros_(part)
    block = SwinTransformerBlock(32, size, num_heads=2, head_dim=8, window_size=4, shift_size=shift).eval()
    block.attn.load_state_dict(used.state_dict())
    x = torch.randn(2, 32, *size)
    expected = block._attn(module.norm(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(module(x), x + expected, rtol=1e-4, atol=1e-5)


def test_windows_of_uneven_maps_are_made_smaller_before_they_are_padded():
    torch.manual_seed(0)
    module = Swin(8, window_size=7).eval()
    torch.nn.init.zeros_(module.shifted.proj.weight)
    x = torch.randn(1, 8, 8, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(x)[0, :, 0, 0].square().sum(), x)
    assert gradient.abs().sum((0, 1, 3)).nonzero().flatten().tolist() == [0, 1, 2, 3]


def test_shifted_heads_see_across_the_border_of_a_window_but_not_around_the_map():
    torch.manual_seed(0)
    module = Swin(8, window_size=4).eval()
    x = torch.randn(1, 8, 8, 2, requires_grad=True)
    reach = {}
    for row in (0, 3):
        (gradient,) = torch.autograd.grad(module(x)[0, :, row, 0].square().sum(), x)
        reach[row] = gradient.abs().sum((0, 1, 3)).nonzero().flatten().tolist()
    assert reach == {0: [0, 1, 2, 3], 3: [0, 1, 2, 3, 4, 5]}


@pytest.mark.parametrize(("dim", "heads"), [(32, 1), (48, 3), (96, 3), (128, 2), (192, 3), (320, 5)])
def test_heads_are_as_wide_as_swins_where_they_fit(dim, heads):
    module = Swin(dim)
    assert module.plain.num_heads == module.shifted.num_heads == heads


def test_channels_must_have_halves():
    with pytest.raises(ValueError, match="33 channels cannot be halved"):
        Swin(33)
