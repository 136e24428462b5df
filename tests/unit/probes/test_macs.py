import torch
from torch import nn

from lsbench.probes.macs import PROBE


def test_a_convolution_and_a_linear_layer_are_counted_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 16 * 16, 5)).eval()
    [record] = PROBE(model, 16, None)
    assert record.value == 3 * 8 * 9 * 16 * 16 + 8 * 16 * 16 * 5
    assert "res=16" in record.protocol
    assert record.setting["uncounted_ops"] == {}
    assert sum(record.setting["by_operator"].values()) == record.value


class Odd(nn.Module):
    def forward(self, x):
        return torch.fft.fftn(x).real


def test_an_operator_without_a_formula_is_named():
    [record] = PROBE(Odd().eval(), 16, None)
    assert any("fft" in name for name in record.setting["uncounted_ops"])
