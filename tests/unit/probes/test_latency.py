import numpy as np

from lsbench.probes.latency import PROBE, SAMPLES
from lsbench.timing.quantiles import samples_needed


def test_percentiles_are_those_of_the_stored_samples_of_single_images(context_of, asked, tmp_path):
    records = {record.metric: record for record in PROBE(None, 32, context_of(batch_size=7))}
    assert list(records) == [
        *("latency_ms", "latency_p90_ms", "latency_p99_ms"),
        *("peak_memory_mib", "peak_device_memory_mib", "energy_per_image_j"),
    ]
    with np.load(tmp_path / "samples_latency_ms.npz") as found:
        clean = found["samples"][~found["is_disturbed"]]
    for metric, share in {"latency_ms": 0.5, "latency_p90_ms": 0.9, "latency_p99_ms": 0.99}.items():
        assert records[metric].value == np.quantile(clean, share)
        assert records[metric].unit == "ms"
    assert records["latency_ms"].value == 3.0
    assert all(record.protocol.startswith("b=1|") for record in records.values())
    assert [request.batch_size for request in asked] == [1]


def test_enough_passes_are_asked_for_to_tell_the_last_percentile():
    assert samples_needed(0.99) <= SAMPLES
