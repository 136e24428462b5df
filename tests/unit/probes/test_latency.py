import numpy as np
from torch import nn

from lsbench.core.job import JobContext
from lsbench.jobs.profile import ProfileSpec
from lsbench.probes.latency import PROBE


def test_the_value_is_the_median_of_the_stored_samples(tmp_path, tiny, make_graph):
    spec = ProfileSpec(warmup=1, repeats=7, batch_size=3)
    job = make_graph(tiny).jobs[0]
    context = JobContext(job, spec=spec, folder=tmp_path, needs={}, device="cpu", emit=print)
    [record] = PROBE(nn.Identity(), 8, context)
    samples = np.load(tmp_path / f"samples_{record.metric}.npy")
    assert record.value == np.median(samples) > 0
    assert record.n == len(samples) == 7
    assert record.ci_low == samples.min()
    assert "b=1|" in record.protocol
    assert record.unit == "ms"
