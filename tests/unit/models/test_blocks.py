import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lsbench.models.blocks import (
    FFN,
    Attention,
    Block,
    BNLinear,
    ConvNorm,
    RepVGGDW,
    Residual,
    ResidualNorm,
    biases_of_pairs,
    offset_indices,
    resize_bias_matrix,
    resize_biases,
)


def test_conv_norm_halves_by_rounding_up():
    assert ConvNorm(3, 8, 3, stride=2)(torch.zeros(2, 3, 7, 6)).shape == (2, 8, 4, 3)


def test_residual_branches_start_as_zero():
    x = torch.randn(2, 16, 4, 4)
    for branch in (FFN(16), Attention(16, key_dim=4, num_heads=2, resolution=(4, 4))):
        assert torch.equal(Residual(branch)(x), x)


def test_residual_drops_whole_branches_in_training_only():
    residual = Residual(nn.Identity(), drop_path=0.5)
    x = torch.ones(64, 1, 1, 1)
    torch.manual_seed(0)
    assert sorted(set(residual(x).flatten().tolist())) == [1.0, 3.0]
    assert torch.equal(residual.eval()(x), 2 * x)


def test_residual_norm_normalises_the_branch():
    x = torch.randn(8, 4, 5, 5)
    branch = ResidualNorm(4, nn.Identity())(x) - x
    torch.testing.assert_close(branch.mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)


def test_extra_depthwise_sums_three_branches():
    module = RepVGGDW(4).eval()
    x = torch.randn(1, 4, 3, 3)
    torch.testing.assert_close(module(x), module.conv(x) + module.conv1(x) + x)


def test_block_with_nothing_in_it_is_identity_at_start():
    x = torch.randn(2, 8, 3, 3)
    assert torch.equal(Block(8, nn.Identity(), has_se=False)(x), x)


def naive_attention(module, x):
    """Softmax attention with one bias per head and absolute offset, pixel by pixel."""
    batch, _, height, width = x.shape
    q, k, v = module.qkv(x).split(module.widths, dim=1)
    q = module.dw(q)
    out = torch.zeros_like(v)
    heads = module.num_heads
    qs, ks, vs = (t.reshape(batch, heads, t.shape[1] // heads, height, width) for t in (q, k, v))
    outs = out.view(batch, heads, -1, height, width)
    bias = {}
    for i in range(height * width):
        for j in range(height * width):
            offset = (abs(i // width - j // width), abs(i % width - j % width))
            bias.setdefault(offset, len(bias))
    for head in range(heads):
        for i in range(height * width):
            logits = []
            for j in range(height * width):
                offset = (abs(i // width - j // width), abs(i % width - j % width))
                dot = (qs[:, head, :, i // width, i % width] * ks[:, head, :, j // width, j % width]).sum(1)
                logits.append(dot * module.scale + module.attention_biases[head, bias[offset]])
            share = torch.stack(logits, 1).softmax(1)
            outs[:, head, :, i // width, i % width] = (share[:, None] * vs[:, head].flatten(2)).sum(2)
    return module.proj(out)


def test_attention_equals_its_definition():
    torch.manual_seed(0)
    module = Attention(8, key_dim=3, num_heads=2, resolution=(2, 3)).double().eval()
    nn.init.normal_(module.attention_biases)
    nn.init.ones_(module.proj[1].bn.weight)
    x = torch.randn(2, 8, 2, 3, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(module(x), naive_attention(module, x))


def test_heads_divide_the_channels():
    with pytest.raises(ValueError, match="3 heads do not divide the 8 channels"):
        Attention(8, key_dim=2, num_heads=3, resolution=(4, 4))


@pytest.mark.parametrize("resolution", [(1, 1), (4, 4), (2, 3), (3, 2), (1, 5), (5, 1)])
def test_offsets_are_numbered_by_first_appearance(resolution):
    height, width = resolution
    seen = {}
    expected = [
        [
            seen.setdefault((abs(i // width - j // width), abs(i % width - j % width)), len(seen))
            for j in range(height * width)
        ]
        for i in range(height * width)
    ]
    assert offset_indices(resolution).tolist() == expected


@torch.no_grad()
def test_attention_on_another_map_is_that_of_a_module_with_resized_biases():
    torch.manual_seed(0)
    module = Attention(8, key_dim=3, num_heads=2, resolution=(4, 4)).double().eval()
    nn.init.normal_(module.attention_biases)
    nn.init.ones_(module.proj[1].bn.weight)
    other = Attention(8, key_dim=3, num_heads=2, resolution=(2, 5)).double().eval()
    resized = F.interpolate(module.attention_biases.view(2, 1, 4, 4), (2, 5), mode="bicubic")
    other.load_state_dict(
        {
            **module.state_dict(),
            "attention_biases": resized.flatten(1),
            "attention_bias_idxs": other.attention_bias_idxs,
        }
    )
    x = torch.randn(2, 8, 2, 5, dtype=torch.float64)
    torch.testing.assert_close(module(x), naive_attention(other, x))


def test_biases_keep_their_values_at_their_own_size():
    table = torch.randn(3, 12)
    assert torch.equal(resize_biases(table, (3, 4), (3, 4)), table)


def with_tame_statistics(module):
    torch.manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor in (layer.weight, layer.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (layer.bias, layer.running_mean):
                nn.init.uniform_(tensor, -0.5, 0.5)
    return module.eval()


@torch.no_grad()
@pytest.mark.parametrize(
    ("module", "shape", "kind"),
    [
        (ConvNorm(6, 8, 3, stride=2), (2, 6, 7, 5), nn.Conv2d),
        (ConvNorm(6, 6, 5, groups=6), (2, 6, 7, 5), nn.Conv2d),
        (BNLinear(6, 4), (3, 6), nn.Linear),
        (RepVGGDW(6), (2, 6, 5, 4), nn.Conv2d),
    ],
    ids=["strided", "depthwise", "head", "branches"],
)
def test_the_fused_form_does_the_same(module, shape, kind):
    module = with_tame_statistics(module)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    single = module.fused()
    assert type(single) is kind
    assert single.weight.dtype == torch.float32
    exact = module.double()
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(exact.fused()(x), exact(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(single(x.float()), exact(x).float(), rtol=0, atol=1e-5)
    assert all(torch.equal(before[key], value.to(before[key])) for key, value in exact.state_dict().items())


def test_the_matrix_of_all_pairs_is_resized_where_that_is_asked_for():
    torch.manual_seed(0)
    module = Attention(8, key_dim=3, num_heads=2, resolution=(2, 3), bias_resize="matrix")
    nn.init.normal_(module.attention_biases)
    matrix = module.attention_biases[:, offset_indices((2, 3))]

    def biases(size):
        where = module.attention_bias_idxs, module.resolution, module.bias_resize
        return biases_of_pairs(torch.zeros(1, 1, *size), module.attention_biases, *where)

    expected = F.interpolate(matrix[None], (20, 20), mode="bicubic", align_corners=False)[0]
    assert torch.equal(biases((4, 5)), expected)
    # The matrix knows the number of pixels alone, not rows and columns.
    for same in ((2, 3), (3, 2), (1, 6)):
        assert torch.equal(biases(same), matrix)
    biases((3, 3)).sum().backward()
    assert module.attention_biases.grad.any()
    with pytest.raises(ValueError, match="bias_resize must be one of table, matrix, got 'grid'"):
        Attention(8, key_dim=3, num_heads=2, resolution=(2, 3), bias_resize="grid")


def test_a_matrix_of_as_many_pairs_stays_as_it_is():
    matrix = torch.randn(2, 9, 9)
    assert torch.equal(resize_bias_matrix(matrix, 9), matrix)
    assert resize_bias_matrix(matrix, 5).shape == (2, 5, 5)
