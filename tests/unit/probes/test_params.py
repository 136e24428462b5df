from torch import nn

from lsbench.probes.params import PROBE


def test_weights_and_biases_count_and_buffers_do_not():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 5, bias=False))
    [record] = PROBE(model, 32, None)
    assert record.value == (3 * 8 * 9 + 8) + (8 + 8) + 8 * 5
    assert (record.metric, record.unit) == ("params", "count")
