import torch
from torch import nn

from lsbench.models.cost_tree import cost_tree
from lsbench.models.factory import create_model
from lsbench.models.macs import count_macs


class Doubled(nn.Module):
    """A product of its own beside that of its child."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4, bias=False)
        self.weight = nn.Parameter(torch.ones(4, 4))

    def forward(self, x):
        return self.inner(x) @ self.weight


def test_a_module_costs_what_is_inside_it_and_what_it_does_itself():
    model = nn.Sequential(
        nn.Conv2d(3, 2, 1, bias=False), nn.Flatten(), nn.Linear(8, 4, bias=False), Doubled()
    )
    tree = cost_tree(model, count_macs(model, (3, 2, 2)))
    assert (tree.name, tree.kind, tree.macs, tree.params) == ("Sequential", "Sequential", 24 + 32 + 32, 70)
    assert [(c.name, c.kind, c.macs, c.params) for c in tree.children] == [
        ("0", "Conv2d", 24, 6),
        ("1", "Flatten", 0, 0),
        ("2", "Linear", 32, 32),
        ("3", "Doubled", 32, 32),
    ]
    assert [child.macs for child in tree.children[3].children] == [16]
    assert [level for level, _ in tree.walk(1)] == [0, 1, 1, 1, 1]


def test_parts_of_a_real_model_add_up_to_all_but_what_it_does_itself():
    model = create_model("lsnet_nano", num_classes=10, img_size=32)
    count = count_macs(model, (3, 32, 32))
    tree = cost_tree(model, count)
    pooling = count.by_operator["adaptive_avg_pool2d"]
    assert tree.macs == count.total
    assert sum(child.macs for child in tree.children) == count.total - pooling
    assert tree.params == sum(parameter.numel() for parameter in model.parameters())
