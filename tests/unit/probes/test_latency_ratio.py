from lsbench.probes.latency_ratio import PROBE


def test_under_one_is_faster_than_the_control(context_of, asked, tmp_path):
    [record] = PROBE(None, 32, context_of(control={"model": "lsnet_nano", "mixer": "swin"}))
    assert (record.metric, record.value) == ("latency_ratio", 0.5)
    assert record.protocol.startswith("b=1|")
    assert [request.control.mixer for request in asked] == ["swin"]
    assert (tmp_path / "samples_latency_ratio.npz").exists()
