import numpy as np
import pytest

from lsbench.probes.throughput import PROBE


def test_the_rate_is_that_of_the_stored_samples_of_full_batches(context_of, asked, tmp_path):
    record, *held = PROBE(None, 32, context_of(batch_size=6))
    with np.load(tmp_path / "samples_throughput.npz") as found:
        clean = found["samples"][~found["is_disturbed"]]
    assert record.value == np.median(clean) == pytest.approx(6 / 3e-3)
    assert (record.metric, record.unit) == ("throughput", "image/s")
    assert "b=6|" in record.protocol
    assert [request.batch_size for request in asked] == [6]
    assert {r.metric for r in held} == {"peak_memory_mib", "peak_device_memory_mib", "energy_per_image_j"}


def test_the_largest_batch_that_fits_is_found_first(context_of, asked):
    record, *_ = PROBE(None, 32, context_of(batch_size="max"))
    assert [(request.action, request.batch_size) for request in asked] == [("fit", 1), ("time", 32)]
    assert record.value == pytest.approx(32 / 3e-3)
