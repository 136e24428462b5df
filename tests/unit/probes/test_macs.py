import torch
from torch import nn

from lsbench.models.blocks import ConvNorm
from lsbench.probes.macs import PROBE


def test_a_convolution_and_a_linear_layer_are_counted_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 16 * 16, 5)).eval()
    record, paper, uncounted = PROBE(model, 16, None)
    assert record.value == paper.value == 3 * 8 * 9 * 16 * 16 + 8 * 16 * 16 * 5
    assert [r.metric for r in (record, paper, uncounted)] == ["macs", "macs_paper", "uncounted_ops"]
    assert record.setting["by_module"] == {"0": 3 * 8 * 9 * 16 * 16, "1": 0, "2": 8 * 16 * 16 * 5}
    assert "res=16" in record.protocol
    assert record.setting["uncounted_ops"] == {}
    assert sum(record.setting["by_operator"].values()) == record.value


class Odd(nn.Module):
    def forward(self, x):
        return torch.fft.fftn(x).real


def test_an_operator_without_a_formula_is_named():
    record, _, uncounted = PROBE(Odd().eval(), 16, None)
    assert uncounted.value == sum(uncounted.setting["uncounted_ops"].values()) > 0
    assert any("fft" in name for name in record.setting["uncounted_ops"])


def test_the_paper_counts_the_fused_model():
    model = nn.Sequential(ConvNorm(3, 4, 3))
    record, paper, _ = PROBE(model.eval(), 8, None)
    assert paper.value == 3 * 4 * 9 * 8 * 8
    assert record.value == paper.value + 2 * 4 * 8 * 8  # the normalisation, two per element
    assert "fused" in paper.protocol
    assert "unfused" in record.protocol


def test_a_norm_that_cannot_be_folded_is_named_in_the_protocol():
    both = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4))
    _, paper, _ = PROBE(both.eval(), 8, None)
    assert paper.value == 3 * 4 * 9 * 6 * 6 + 2 * 4 * 6 * 6
    assert paper.protocol == "fvcore|fused|unfused_norms=1|res=8|v1"
