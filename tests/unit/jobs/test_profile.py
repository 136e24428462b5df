import pytest
from pydantic import ValidationError

from lsbench.core.job import JobContext
from lsbench.jobs.profile import JOB, ProfileSpec


def test_an_unknown_probe_is_refused_with_the_nearest():
    with pytest.raises(ValidationError, match=r"unknown probe 'latncy' \(did you mean 'latency'\?\)"):
        ProfileSpec(probes=["latncy"])


def test_it_runs_once_per_variant_alone_and_looks_at_no_image():
    assert not JOB.per_seed
    assert not JOB.uses_data
    assert JOB.resources.exclusive == "device"


def test_only_the_probes_asked_for_are_run_in_their_order(tiny, make_graph, tmp_path):
    job = next(job for job in make_graph(tiny).jobs if job.label == "id/profile")
    events = []
    spec = ProfileSpec(probes=("macs", "params"))
    records = JOB.run(JobContext(job, spec, tmp_path, {}, "cpu", events.append))
    assert [record.metric for record in records] == ["macs", "macs_paper", "uncounted_ops", "params"]
    assert [event["what"] for event in events] == ["macs", "params"]


def test_the_cost_counts_single_images_and_batches():
    spec = ProfileSpec(warmup=2, repeats=8, batch_size=4)
    assert JOB.cost(spec, 1e6, lambda split: 0) == pytest.approx(1e6 * 10 * 5)
