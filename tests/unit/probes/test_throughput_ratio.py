from lsbench.probes.throughput_ratio import PROBE


def test_over_one_is_faster_than_the_control(context_of, asked, tmp_path):
    [record] = PROBE(None, 32, context_of(control="lsnet_nano", batch_size=4))
    assert (record.metric, record.value) == ("throughput_ratio", 2.0)
    assert record.protocol.startswith("b=4|")
    assert [request.batch_size for request in asked] == [4]
    assert (tmp_path / "samples_throughput_ratio.npz").exists()
