import pytest
import torch
from torch import nn
from torch.library import opcheck
from torch.utils.flop_counter import FlopCounterMode

from lsbench.models.ops.ska import ska, ska_backend
from lsbench.models.ops.ska_tail import ska_tail


class Tail(nn.Module):
    """The four steps as modules, and the same as one function."""

    def __init__(self, channels=24, groups=8, taps=9):
        super().__init__()
        self.norm = nn.GroupNorm(groups, groups * taps, eps=1e-4)
        self.bn = nn.BatchNorm2d(channels, eps=1e-3)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, 0.5, 1.5)
        nn.init.uniform_(self.bn.running_mean)
        nn.init.uniform_(self.bn.running_var, 0.5, 1.5)
        self.eval()

    def apart(self, x, weight):
        by_group = self.norm(weight).unflatten(1, (self.norm.num_groups, -1))
        return self.bn(ska(x, by_group)) + x

    def forward(self, x, weight):
        norm, bn = self.norm, self.bn
        return ska_tail(
            x,
            weight,
            groups=norm.num_groups,
            affine=(norm.weight, norm.bias),
            norm=(bn.weight, bn.bias, bn.running_mean, bn.running_var),
            epsilons=(norm.eps, bn.eps),
        )


@pytest.fixture
def tensors(inputs):
    x, weight, _ = inputs(channels=24, groups=8, dtype=torch.float32)
    return x, weight.flatten(1, 2)


def names(function, *tensors):
    with torch.profiler.profile() as profile:
        function(*tensors)
    return {event.name for event in profile.events()}


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_equals_the_four_steps(tensors, memory_format):
    model, tensors = Tail(), [t.contiguous(memory_format=memory_format) for t in tensors]
    with torch.no_grad():
        found, expected = model(*tensors), model.apart(*tensors)
        assert "lsbench::ska_tail" in names(model, *tensors)
    assert found.is_contiguous(memory_format=memory_format)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_gradients_come_from_the_four_steps(tensors):
    model = Tail()
    results = []
    for function in (model, model.apart):
        x, weight = (t.clone().requires_grad_() for t in tensors)
        results.append(torch.autograd.grad(function(x, weight).square().sum(), (x, weight)))
    torch.testing.assert_close(results[0], results[1])


def test_other_backends_and_tracers_see_the_four_steps(tensors):
    model = Tail()
    with torch.no_grad():
        with ska_backend("reference"):
            assert "lsbench::ska_tail" not in names(model, *tensors)
            torch.testing.assert_close(model(*tensors), model.apart(*tensors), rtol=1e-5, atol=1e-5)
        graph = str(torch.jit.trace(model, tensors, check_trace=False).inlined_graph)
    assert "aten::group_norm" in graph
    assert "lsbench::ska(" in graph
    assert "aten::batch_norm" in graph


def test_under_autocast_features_and_weights_are_cast(tensors):
    model = Tail()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = model(tensors[0], tensors[1].bfloat16())
    assert found.dtype == torch.bfloat16
    with torch.no_grad():
        expected = model.apart(*tensors)
    torch.testing.assert_close(found.float(), expected, rtol=5e-2, atol=5e-2)


def test_opcheck_and_compilation(tensors, monkeypatch):
    monkeypatch.setenv("CI", "true")  # there the compiler is stricter
    model = Tail().requires_grad_(False)
    norm, bn = model.norm, model.bn
    affine, statistics = [norm.weight, norm.bias], [bn.weight, bn.bias, bn.running_mean, bn.running_var]
    opcheck(torch.ops.lsbench.ska_tail.default, (*tensors, affine, statistics, [1e-5, 1e-5], 8))
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(model, fullgraph=True)(*tensors), model(*tensors))


def test_flops_are_those_of_the_aggregation(tensors):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        Tail()(*tensors)
    assert counter.get_total_flops() == 2 * 9 * tensors[0].numel()


def test_what_does_not_fit_is_refused(tensors):
    x, weight = tensors
    with torch.no_grad():
        with pytest.raises(ValueError, match=r"G \* K\*K, H, W\) with G = 8"):
            Tail()(x, weight[:, :-1])
        with pytest.raises(TypeError, match="one floating dtype"):
            Tail()(x.double(), weight)
