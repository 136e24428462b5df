import pytest
import torch
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from lsbench.models.ops.eager import is_eager


def test_plain_tensors_and_parameters_are_run_directly():
    assert is_eager(torch.ones(1), torch.nn.Parameter(torch.ones(1)))


@pytest.mark.parametrize(
    "watcher",
    [
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: FlopCounterMode(display=False),
        lambda: torch.device("cpu"),
        lambda: torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]),
        forward_ad.dual_level,
    ],
    ids=["autocast", "counter", "function mode", "profiler", "dual numbers"],
)
def test_who_watches_or_transforms_sees_the_operator(watcher):
    x = torch.ones(1)
    with watcher():
        assert not is_eager(x)
    assert is_eager(x)


def test_tracers_and_compilers_see_the_operator():
    seen = []

    def look(x):
        seen.append(is_eager(x))
        return x + 1

    torch.jit.trace(look, torch.ones(1), check_trace=False)
    torch.fx.experimental.proxy_tensor.make_fx(look)(torch.ones(1))
    torch.compile(look, backend="eager", fullgraph=False)(torch.ones(1))
    assert True not in seen


def test_other_devices_and_kinds_of_tensor_are_left_to_the_dispatcher():
    class Other(torch.Tensor):
        pass

    assert not is_eager(torch.ones(1), torch.ones(1, device="meta"))
    assert not is_eager(torch.ones(1).as_subclass(Other))
    assert not is_eager(torch._neg_view(torch.ones(1)))


def test_a_batch_of_gradients_is_left_to_the_dispatcher():
    seen = []
    x = torch.ones(1, requires_grad=True)
    y = x * 1
    y.register_hook(lambda grad: seen.append(is_eager(grad)))
    torch.autograd.grad(y, x, torch.ones(2, 1), is_grads_batched=True)
    assert seen == [False]
