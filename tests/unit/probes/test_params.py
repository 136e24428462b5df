from torch import nn

from lsbench.probes.params import PROBE


def test_weights_and_biases_count_and_buffers_do_not():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.BatchNorm2d(8), nn.Linear(8, 5, bias=False))
    plain, fused = PROBE(model, 32, None)
    assert plain.value == fused.value == (3 * 8 * 9 + 8) + (8 + 8) + 8 * 5
    assert [(one.metric, one.unit) for one in (plain, fused)] == [
        ("params", "count"),
        ("params_fused", "count"),
    ]
    assert (plain.protocol, fused.protocol) == ("params|unfused|v1", "params|fused|v1")


def test_a_norm_after_a_convolution_is_gone_in_the_fused_model():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8))
    plain, fused = PROBE(model, 32, None)
    assert plain.value == 3 * 8 * 9 + (8 + 8)
    assert fused.value == 3 * 8 * 9 + 8
    assert fused.protocol == "params|fused|unfused_norms=0|v1"
