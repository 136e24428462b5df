import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lsbench.models.factory import create_model
from lsbench.models.macs import count_macs

FACTS = json.loads((Path(__file__).parent / "data" / "lsnet_facts.json").read_text())


@pytest.mark.parametrize("name", sorted(FACTS))
def test_lsnet_costs_what_was_published(name):
    count = count_macs(create_model(name, num_classes=1000, img_size=224), (3, 224, 224))
    assert count.total == sum(count.by_operator.values()) == FACTS[name]["macs_unfused"]
    assert set(count.uncounted) == {"add", "mean", "sigmoid", "mul", "index_select", "softmax"}


def test_aggregation_is_counted_as_its_products():
    count = count_macs(create_model("lsnet_t", num_classes=1000, img_size=224), (3, 224, 224))
    assert count.by_operator["ska"] == 9 * 128 * 14 * 14 + 4 * 9 * 256 * 7 * 7 == 677_376


def test_modes_and_gradients_are_left_as_they_were():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4).eval(), nn.BatchNorm2d(4)).train()
    model[1].eval()
    before = model[2].running_mean.clone()
    count_macs(model, (3, 5, 5))
    assert [m.training for m in model] == [True, False, True]
    assert torch.equal(model[2].running_mean, before)


def test_modes_come_back_after_an_error():
    model = nn.Linear(4, 4).train()
    with pytest.raises(RuntimeError):
        count_macs(model, (3, 5, 5))
    assert model.training


class FusedAttention(nn.Module):
    def forward(self, x):
        q = x.flatten(2).transpose(1, 2)
        return F.scaled_dot_product_attention(q, q, q)


def test_fused_attention_is_both_matrix_products():
    assert count_macs(FusedAttention(), (8, 4, 4)).total == 16 * 16 * (8 + 8)


class Unknown(nn.Module):
    def forward(self, x):
        return torch.fft.rfft2(x).abs()


def test_what_cannot_be_counted_is_named():
    count = count_macs(Unknown(), (1, 4, 4))
    assert count.total == 0
    assert count.uncounted == {"fft_rfft2": 1, "abs": 1}
