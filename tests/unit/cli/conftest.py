from types import SimpleNamespace

import pytest

from lsbench.cli.main import run_command


@pytest.fixture(autouse=True)
def _nothing_is_the_first_time(monkeypatch):
    """Loops and images may be new to this machine or not: tests before decide, so neither is told."""
    for module in ("lsbench.core.loops", "lsbench.data.cache"):
        monkeypatch.setattr(f"{module}.announce", lambda what: None)


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def call(results, capsys):
    """Run a command line; return exit code, stdout and stderr."""

    def run(*arguments):
        code = run_command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def quick(tiny):
    """A suite of one variant and one seed."""
    tiny["variants"] = tiny["variants"][1:]
    tiny["jobs"][2]["profile"] = {"probes": ["params", "macs"]}
    return {**tiny, "seeds": [0]}


@pytest.fixture
def trained(tiny, make_graph, fill_store):
    """A store whose trainings have weights, and its training ``ls/train/seed0`` with its model."""
    import torch

    from lsbench.core.atomic import write_text
    from lsbench.engine import weights
    from lsbench.models.factory import create_model

    graph = make_graph({**tiny, "seeds": [0]})
    folder = fill_store(graph)
    torch.manual_seed(3)
    model = create_model("lsnet_nano", mixer="ls_conv", num_classes=10, img_size=32).eval()
    for job in graph.jobs:
        write_text(folder.job_folder(job.id) / "spec.json", job.model_dump_json(indent=1))
        if job.label == "ls/train/seed0":
            weights.save(folder.job_folder(job.id) / weights.WEIGHTS, model.state_dict())
    jobs = {job.label: job for job in graph.jobs}
    return SimpleNamespace(folder=folder, jobs=jobs, job=jobs["ls/train/seed0"], model=model)
