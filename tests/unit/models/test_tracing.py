import pytest
import torch
from torch import nn

from lsbench.models.tracing import one_node


@one_node
def halved(x: torch.Tensor, by: nn.Module, *, repeat: int = 1) -> torch.Tensor:
    for _ in range(x.shape[-1] // 2 * repeat):  # a proxy has no sizes to count with
        x = by(x)
    return x


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.by = nn.Linear(4, 4)

    def forward(self, x):
        return halved(x, self.by, repeat=2) + 1


def test_a_call_is_one_node_that_computes_when_the_graph_runs():
    model, x = Model(), torch.randn(3, 4)
    traced = torch.fx.symbolic_trace(model)
    assert next(node.target for node in traced.graph.nodes if node.op == "call_function") is halved
    assert torch.equal(traced(x), model(x))
    with torch.no_grad():
        model.by.weight.zero_()
    assert torch.equal(traced(x), model(x)), "the graph uses the model's own weights"


def test_a_size_can_be_the_first_argument():
    class Ones(nn.Module):
        def forward(self, x):
            return ones(x.shape[0]) + x

    assert torch.equal(torch.fx.symbolic_trace(Ones())(torch.zeros(3)), torch.ones(3))


@one_node
def ones(count: int) -> torch.Tensor:
    return torch.ones(range(count).stop)


def test_outside_of_a_trace_it_is_the_function():
    assert torch.equal(halved(torch.ones(1, 1), nn.Identity()), torch.ones(1, 1))
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        halved(torch.ones(1, 1))
