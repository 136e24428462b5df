import copy
import io

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lsbench.models.packed_conv import KEPT, PackedConv2d, pack


def used(module, x):
    with torch.profiler.profile() as profile:
        module(x)
    return "mkldnn::_convolution_pointwise" in {event.name for event in profile.events()}


def conv(**options):
    torch.manual_seed(0)
    return nn.Conv2d(8, 16, **{"kernel_size": 3, "padding": 1, **options})


@pytest.fixture(params=[(1, 8, 9, 7), (4, 8, 6, 6)], ids=str)
def x(request):
    return torch.randn(request.param, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kernel_size": 1, "padding": 0, "bias": False},
        {"stride": 2, "dilation": 2},
        {"groups": 8},
        {"padding": "valid"},
    ],
    ids=str,
)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_and_plain_give_the_same(options, memory_format, dtype, x):
    plain = conv(**options).to(dtype=dtype, memory_format=memory_format)
    packed = pack(copy.deepcopy(plain))
    x = x.to(dtype=dtype, memory_format=memory_format)
    assert type(packed) is PackedConv2d
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(packed(x), plain(x), rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(packed(x), plain(x), rtol=tolerance, atol=tolerance)


@torch.no_grad()
def test_weights_are_packed_once_per_image_size(x, monkeypatch):
    module, calls = pack(conv()), []
    real = torch.ops.mkldnn._reorder_convolution_weight
    monkeypatch.setattr(
        torch.ops.mkldnn, "_reorder_convolution_weight", lambda *a: calls.append(1) or real(*a)
    )
    module(x), module(x)
    assert used(module, x)
    assert len(calls) == 1
    for size in range(5, 5 + 2 * KEPT):
        module(torch.zeros(1, 8, size, size))
    assert len(module._ready) == KEPT


@torch.no_grad()
@pytest.mark.parametrize("change", ["in place", "loaded", "moved", "replaced"])
def test_changed_weights_are_packed_anew(x, change):
    module, other = pack(conv()), conv()
    module(x)
    nn.init.normal_(other.weight)
    if change == "in place":
        module.weight.mul_(3)
    elif change == "loaded":
        module.load_state_dict(other.state_dict())
    elif change == "moved":
        module.bfloat16().float()
    else:
        module.weight = other.weight
    expected = nn.functional.conv2d(x, module.weight, module.bias, padding=1)
    torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)


def test_it_is_the_plain_convolution_wherever_packing_does_not_serve(x):
    module = pack(conv())
    assert not used(module, x)  # gradients are wanted
    module(x).sum().backward()
    assert module.weight.grad is not None
    with torch.no_grad():
        assert used(module, x)
        with torch.autocast("cpu", torch.bfloat16):
            assert not used(module, x)
            assert module(x).dtype == torch.bfloat16
        with FlopCounterMode(display=False) as counter:
            module(x)
        assert counter.get_total_flops() == 2 * 9 * 8 * 16 * x.numel() // 8
        assert not used(module.double(), x.double())
        assert module(x[:0].double()).shape[0] == 0


def test_parameters_copies_and_files_are_those_of_a_convolution(x):
    module, plain = pack(conv()), conv()
    with torch.no_grad():
        module(x)
        assert list(module.state_dict()) == list(plain.state_dict())
        twin = copy.deepcopy(module)
        assert twin._ready is None
        torch.testing.assert_close(twin(x), module(x))
        file = io.BytesIO()
        torch.save(module, file)
        file.seek(0)
        torch.testing.assert_close(torch.load(file, weights_only=False)(x), module(x))


def test_other_convolutions_are_left_alone():
    model = pack(nn.Sequential(conv(padding_mode="circular"), conv(padding="same"), nn.Conv1d(8, 8, 1)))
    assert [type(module).__name__ for module in model] == ["Conv2d", "Conv2d", "Conv1d"]
