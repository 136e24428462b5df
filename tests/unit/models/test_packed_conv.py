import copy
import io

import pytest
import torch
from safetensors.torch import save
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lsbench.models.packed_conv import KEPT, PackedConv2d, _is_supported, pack


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
    assert (type(packed) is PackedConv2d) == _is_supported(dtype)
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
    assert len(module.weight.packed) == KEPT


@torch.no_grad()
def test_writing_to_a_packed_weight_raises_and_leaves_the_outputs(x):
    module, zeros = pack(conv()), torch.zeros(16, 8, 3, 3)
    expected = module(x)
    state = {"weight": zeros, "bias": module.bias.clone()}
    for write in (
        lambda: module.weight.data.copy_(zeros),
        lambda: nn.init.normal_(module.weight.data),
        lambda: module.weight.numpy().fill(0),
        lambda: module.load_state_dict(state),
        module.bfloat16,
    ):
        with pytest.raises((RuntimeError, ValueError), match=r"packed weight is frozen|read-only"):
            write()
    assert torch.equal(module(x), expected)


@torch.no_grad()
def test_replaced_weights_and_changed_biases_count(x):
    module, other = pack(conv()), conv()
    module(x)
    module.bias.data.mul_(3)
    torch.testing.assert_close(module(x), plain_output(module, x), rtol=1e-5, atol=1e-5)
    nn.init.normal_(other.weight)
    module.weight = other.weight
    torch.testing.assert_close(module(x), plain_output(module, x), rtol=1e-5, atol=1e-5)
    other.weight.data.mul_(3)
    torch.testing.assert_close(module(x), plain_output(module, x), rtol=1e-5, atol=1e-5)


def plain_output(module, x):
    return nn.functional.conv2d(x, module.weight, module.bias, padding=1)


@torch.no_grad()
def test_tracers_and_compilers_see_the_plain_convolution(x):
    module = pack(conv())
    traced = torch.jit.trace(module, x)
    assert "_convolution_pointwise" not in str(traced.inlined_graph)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    for found in (traced(x), compiled(x)):
        torch.testing.assert_close(found, module(x), rtol=1e-5, atol=1e-5)


def test_it_is_the_plain_convolution_wherever_packing_does_not_serve(x):
    module = pack(conv())
    assert not used(module, x)  # gradients are wanted
    wanted = x.clone().requires_grad_()
    module(wanted).sum().backward()
    assert wanted.grad is not None
    with torch.no_grad():
        assert used(module, x)
        with torch.autocast("cpu", torch.bfloat16):
            assert not used(module, x)
            assert module(x).dtype == torch.bfloat16
        with FlopCounterMode(display=False) as counter:
            module(x)
        assert counter.get_total_flops() == 2 * 9 * 8 * 16 * x.numel() // 8
        assert module(x[:0]).shape[0] == 0
        with pytest.raises(RuntimeError, match="should be the same"):
            module(x.double())


def test_parameters_copies_and_files_are_those_of_a_convolution(x):
    module, plain = pack(conv()), conv()
    with torch.no_grad():
        module(x)
        assert list(module.state_dict()) == list(plain.state_dict())
        twin = copy.deepcopy(module)
        assert twin.weight.packed == {}
        assert used(twin, x)
        torch.testing.assert_close(twin(x), module(x))
        file = io.BytesIO()
        torch.save(module, file)
        file.seek(0)
        loaded = torch.load(file, weights_only=False)
        torch.testing.assert_close(loaded(x), module(x))
        assert type(loaded.weight) is nn.Parameter
        assert used(pack(loaded), x)


def test_other_convolutions_are_left_alone():
    others = conv(padding_mode="circular"), conv(padding="same"), conv().double(), nn.Conv1d(8, 8, 1)
    model = pack(nn.Sequential(*others))
    assert [type(module).__name__ for module in model] == ["Conv2d", "Conv2d", "Conv2d", "Conv1d"]
    assert {type(parameter) for parameter in model.parameters()} == {nn.Parameter}


@pytest.mark.parametrize("is_strict", [False, True])
@pytest.mark.parametrize("needs_gradients", [False, True])
def test_a_packed_model_is_exported_as_the_plain_one(is_strict, needs_gradients, x):
    model = pack(nn.Sequential(conv(), nn.ReLU())).requires_grad_(needs_gradients)
    program = torch.export.export(model, (x,), strict=is_strict)
    assert "_convolution_pointwise" not in str(program.graph)
    torch.testing.assert_close(program.module()(x), model(x))
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    torch.testing.assert_close(torch.export.load(file).module()(x), model(x))


def test_a_packed_model_is_saved_by_safetensors(x):
    packed, plain = pack(conv()), conv()
    assert save(packed.state_dict()) == save(plain.state_dict())
