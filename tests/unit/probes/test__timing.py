import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from lsbench.core.job import JobContext
from lsbench.jobs.profile import ProfileSpec
from lsbench.probes._timing import median_interval, time_model, to_record


@pytest.fixture
def job(tiny, make_graph):
    return make_graph(tiny).jobs[0]


@pytest.fixture
def context(job, tmp_path):
    spec = ProfileSpec(warmup=2, repeats=9, threads=3)
    return JobContext(job=job, spec=spec, folder=tmp_path, needs={}, device="cpu", emit=print)


class Counter(nn.Module):
    """Remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        self.seen.append((tuple(images.shape), torch.is_grad_enabled()))
        return images.sum()


def test_every_repeat_is_kept_and_the_warm_up_is_not(context):
    model = Counter()
    samples = time_model(model, 4, 16, context)
    assert samples.shape == (9,)
    assert (samples > 0).all()
    assert model.seen == [((4, 3, 16, 16), False)] * 11


@pytest.mark.parametrize("n", [6, 7, 20, 50, 51, 100])
def test_the_interval_of_the_median_covers_at_least_as_often_as_said(n):
    samples = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    low, high = median_interval(samples)
    assert low <= np.median(samples) <= high
    # The interval between order statistics i and j covers the median with probability P(i <= B < j).
    i, j = int(low), int(high)
    coverage = stats.binom.cdf(j - 1, n, 0.5) - stats.binom.cdf(i - 1, n, 0.5)
    assert coverage >= 0.95
    if i + 1 < j - 1:
        tighter = stats.binom.cdf(j - 2, n, 0.5) - stats.binom.cdf(i, n, 0.5)
        assert tighter < 0.95, "the next tighter pair would not do"


def test_the_interval_scales_with_the_samples():
    samples = np.random.default_rng(0).normal(10, 1, 30)
    low, high = median_interval(samples)
    assert median_interval(samples * 1e3) == pytest.approx((low * 1e3, high * 1e3))


def test_a_record_holds_the_median_and_the_raw_samples_lie_beside_it(context):
    samples = np.array([5.0, 1.0, 2.0, 3.0, 4.0, 9.0, 7.0])
    record = to_record("latency_ms", samples, 2, 32, context)
    assert (record.value, record.unit, record.n) == (4.0, "ms", 7)
    assert record.ci_low < record.value < record.ci_high
    assert record.setting == {"p25": 2.5, "p75": 6.0, "batch_size": 2}
    assert record.protocol == "b=2|fp32|nchw|unfused|res=32|cpu|threads=3|n=7|v1"
    assert np.array_equal(np.load(context.folder / "samples_latency_ms.npy"), samples)


@pytest.mark.parametrize(("limit", "warmup", "repeats"), [(1, 1, 6), (7, 2, 7), (99, 2, 9)])
def test_a_limit_shortens_a_timing_but_leaves_enough_to_say_anything(limit, warmup, repeats, context):
    model = Counter()
    short = dataclasses.replace(context, job=context.job.model_copy(update={"limit": limit}))
    assert len(time_model(model, 1, 8, short)) == repeats
    assert len(model.seen) == warmup + repeats
