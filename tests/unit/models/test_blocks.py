import copy
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from lsbench.models.blocks import (
    FFN,
    Attention,
    Block,
    BNLinear,
    ChannelGate,
    ConvNorm,
    RepVGGDW,
    Residual,
    ResidualNorm,
    Stem,
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


@contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def step(module, x):
    """Return all that a training step of a copy gives, or the kind of error."""
    module = copy.deepcopy(module)
    try:
        y = module(x := x.clone().requires_grad_())
        (y.square() * torch.linspace(0, 1, y.numel()).view(y.shape)).sum().backward()
    except (RuntimeError, ValueError) as error:
        return type(error), {}
    named = {"y": y, "x": x.grad, **dict(module.named_buffers())}
    named |= {name: parameter.grad for name, parameter in module.named_parameters()}
    return None, {name: value for name, value in named.items() if value is not None}


def assert_trained_as_torch_does(module, x):
    """Compare a step on one thread, which joins operators, with one on two, which does not."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d) and part.affine and part.weight.is_contiguous():
            nn.init.uniform_(part.weight, 0.5, 1.5)
    x = x.to(memory_format=torch.channels_last)
    with threads(1):
        error, found = step(module, x)
    with threads(2):
        expected_error, expected = step(module, x)
    assert error is expected_error
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        scale = max(value.detach().abs().flatten().tolist(), default=0)
        torch.testing.assert_close(
            found[name], value, rtol=1e-3, atol=1e-4 * max(scale, 1), msg=f"{name} differs"
        )


class TwiceConv(nn.Conv2d):
    def forward(self, x):
        return 2 * super().forward(x)


class TwiceNorm(nn.BatchNorm2d):
    def forward(self, x):
        return 2 * super().forward(x)


def with_parts(conv=None, norm=None, channels=16):
    module = ConvNorm(channels, channels, 3, groups=channels)
    module.c, module.bn = conv or module.c, norm or module.bn
    return module


def depthwise(**options):
    return nn.Conv2d(16, 16, 3, groups=16, **{"padding": 1, "bias": False, **options})


def changed(change):
    module = with_parts()
    change(module)
    return module


def expand(module):
    module.bn.weight = nn.Parameter(torch.tensor([1.5]).expand(16))
    nn.init.ones_(module.bn.bias)


CHANGES = {
    "as it was built": with_parts,
    "the norm of several processes": lambda: with_parts(norm=nn.SyncBatchNorm(16)),
    "another kind of norm": lambda: with_parts(norm=nn.GroupNorm(2, 16)),
    "no norm": lambda: with_parts(norm=nn.Identity()),
    "its own norm": lambda: with_parts(norm=TwiceNorm(16)),
    "its own convolution": lambda: with_parts(TwiceConv(16, 16, 3, padding=1, groups=16, bias=False)),
    "a bias": lambda: with_parts(depthwise(bias=True)),
    "reflecting": lambda: with_parts(depthwise(padding_mode="reflect")),
    "dilated": lambda: with_parts(depthwise(dilation=2)),
    "padded by name": lambda: with_parts(depthwise(padding="same")),
    "not square": lambda: with_parts(nn.Conv2d(16, 16, (3, 1), padding=1, groups=16, bias=False)),
    "in few groups": lambda: with_parts(nn.Conv2d(16, 16, 3, padding=1, groups=4, bias=False)),
    "in odd groups": lambda: with_parts(nn.Conv2d(15, 15, 3, groups=15, bias=False), channels=15),
    "widened by groups": lambda: with_parts(nn.Conv2d(16, 32, 3, groups=16, bias=False), nn.BatchNorm2d(32)),
    "a normalised weight": lambda: changed(lambda m: parametrizations.weight_norm(m.c)),
    "a weight of doubles": lambda: changed(lambda m: m.c.double()),
    "a norm of doubles": lambda: changed(lambda m: m.bn.double()),
    "statistics of doubles": lambda: changed(lambda m: setattr(m.bn, "running_var", torch.ones(16).double())),
    "one weight for all channels": lambda: changed(expand),
    "fewer weights": lambda: changed(lambda m: setattr(m.c, "weight", nn.Parameter(m.c.weight[:8]))),
    "a norm of fewer channels": lambda: with_parts(norm=nn.BatchNorm2d(8)),
    "a norm of more channels": lambda: with_parts(norm=nn.BatchNorm2d(32)),
    "no count of batches": lambda: changed(lambda m: setattr(m.bn, "num_batches_tracked", None)),
    "nothing running": lambda: with_parts(norm=nn.BatchNorm2d(16, track_running_stats=False)),
    "a true average": lambda: with_parts(norm=nn.BatchNorm2d(16, momentum=None)),
    "a whole momentum": lambda: with_parts(norm=nn.BatchNorm2d(16, momentum=1)),
    "not affine": lambda: with_parts(norm=nn.BatchNorm2d(16, affine=False)),
    "one more layer": lambda: changed(lambda m: m.add_module("act", nn.Hardswish())),
    "a kernel larger than the map": lambda: with_parts(depthwise(padding=0, dilation=1, stride=2)),
    "a frozen convolution": lambda: changed(lambda m: m.c.requires_grad_(requires_grad=False)),
    "a frozen norm": lambda: changed(lambda m: m.bn.requires_grad_(requires_grad=False)),
    "a norm in evaluation": lambda: changed(lambda m: m.bn.eval()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_layer_is_trained_as_torch_does(change):
    torch.manual_seed(0)
    module = CHANGES[change]()
    channels = getattr(module.c, "in_channels", 16)
    # Among them one value per channel, too few channels, and nothing: torch refuses some.
    for shape in (
        (3, channels, 5, 4),
        (2, channels, 2, 2),
        (1, channels, 1, 1),
        (2, 8, 5, 5),
        (0, channels, 3, 3),
    ):
        assert_trained_as_torch_does(module, torch.randn(shape))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_usual_dtype_of_new_tensors_changes_nothing(dtype):
    module, dense = with_parts(), ConvNorm(3, 16, 3, stride=2)
    torch.set_default_dtype(dtype)
    try:
        assert_trained_as_torch_does(module, torch.randn(3, 16, 5, 5, dtype=torch.float32))
        assert_trained_as_torch_does(dense, torch.randn(3, 3, 5, 5, dtype=torch.float32))
    finally:
        torch.set_default_dtype(torch.float32)


def replaced(module, **parts):
    for name, part in parts.items():
        setattr(module, name, part)
    return module


MODULES = {
    "FFN with another activation": lambda: replaced(FFN(16), act=nn.GELU()),
    "FFN with plain convolutions": lambda: replaced(
        FFN(16), pw1=nn.Conv2d(16, 32, 1), pw2=nn.Conv2d(32, 16, 1)
    ),
    "FFN with one more layer": lambda: replaced(FFN(16), last=nn.Hardswish()),
    "residual FFN": lambda: Residual(FFN(16)),
    "residual FFN with another layer": lambda: Residual(replaced(FFN(16), pw2=nn.Conv2d(32, 16, 1))),
    "stem with another activation": lambda: Stem(ConvNorm(16, 16), nn.GELU(), ConvNorm(16, 16)),
    "stem with a plain convolution": lambda: Stem(nn.Conv2d(16, 16, 1), nn.ReLU(), ConvNorm(16, 16)),
    "depth-wise branches": lambda: replaced(RepVGGDW(16), conv1=nn.Conv2d(16, 16, 1, groups=16)),
    "a branch of one value": lambda: ResidualNorm(16, nn.AdaptiveAvgPool2d(1)),
    "a gate with a norm": lambda: replaced(ChannelGate(16), bn=nn.BatchNorm2d(8)),
    "another gate": lambda: replaced(ChannelGate(16, 0.5), gate=nn.Hardsigmoid()),
    "a gate of maxima": lambda: ChannelGate(16, 0.5, add_maxpool=True),
    "a gate of groups": lambda: replaced(ChannelGate(16, 0.5), fc1=nn.Conv2d(16, 8, 1, groups=4)),
}


@pytest.mark.parametrize("kind", MODULES)
def test_a_changed_module_is_trained_as_torch_does(kind):
    torch.manual_seed(0)
    assert_trained_as_torch_does(MODULES[kind](), torch.randn(3, 16, 5, 4))


def test_a_training_step_on_one_thread_compiles_whole():
    model, x = Block(16, RepVGGDW(16), has_se=True), torch.randn(2, 16, 4, 4)
    with threads(1):
        x = x.to(memory_format=torch.channels_last)
        found = torch.compile(model, backend="eager", fullgraph=True)(x)
        torch.testing.assert_close(found, model(x), rtol=1e-4, atol=1e-4)


def test_a_hook_sees_what_the_layer_itself_returns():
    torch.manual_seed(0)
    model, x = Residual(FFN(16)), torch.randn(3, 16, 5, 4).to(memory_format=torch.channels_last)
    nn.init.ones_(model.m.pw2.bn.weight)
    for name in ("pw1", "pw2"):
        seen = []
        hook = model.m.get_submodule(name).register_forward_hook(
            lambda _m, _x, y, to=seen: to.append(y.clone())
        )
        for count in (1, 2):
            with threads(count):
                model(x)
        hook.remove()
        torch.testing.assert_close(*seen, rtol=1e-4, atol=1e-4)
