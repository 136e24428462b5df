"""A profile job whose timings are answered at once, by a stand-in for the process that measures."""

import pytest

from lsbench.core.job import JobContext
from lsbench.jobs.profile import ProfileSpec
from lsbench.timing.request import Built, Reply


@pytest.fixture
def context_of(tiny, make_graph, tmp_path):
    """Return the context of a profile job with the settings that are given."""
    job = next(job for job in make_graph(tiny).jobs if job.label == "id/profile")

    def create(**settings):
        return JobContext(job, ProfileSpec(**settings), tmp_path, needs={}, device="cpu", emit=print)

    return create


@pytest.fixture
def asked(monkeypatch):
    """Return the requests, all answered: 400 passes of 1 to 5 ms, those of a control twice as long."""
    requests = []

    def answer(request):
        requests.append(request)
        if request.action == "build":
            built = Built(seconds={"export": 2.0}, difference=1e-6, agreement=1.0, images=32, unfused_norms=3)
            return Reply(built=built)
        if request.action == "fit":
            return Reply(batch_size=32, batch_ended_by="throughput")
        seconds = [1e-3 * (1 + i % 5) for i in range(400)]
        control = [2 * s for s in seconds] if request.control else []
        marks = [i == 0 for i in range(400)]
        return Reply(seconds=seconds, control_seconds=control, is_disturbed=marks, peak_memory_mib=70.0)

    monkeypatch.setattr("lsbench.probes._timing.run_apart", answer)
    monkeypatch.setattr("lsbench.probes._programs.run_apart", answer)
    return requests
