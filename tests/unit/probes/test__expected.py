from types import SimpleNamespace

from lsbench.probes._expected import latency_images, throughput_images


def test_a_timing_of_full_batches_takes_as_many_images_as_its_batches_hold():
    assert throughput_images(SimpleNamespace(batch_size=8)) == 320
    assert throughput_images(SimpleNamespace(batch_size="max")) == 10_240
    assert latency_images(SimpleNamespace(batch_size=8)) == 500
