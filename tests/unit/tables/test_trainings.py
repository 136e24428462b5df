from dataclasses import replace

import pytest

from lsbench.core.atomic import write_text
from lsbench.core.errors import UsageError
from lsbench.store.job_files import EMA
from lsbench.store.results import SPEC
from lsbench.tables.job_changes import known_jobs
from lsbench.tables.trainings import only_training, weights_file


@pytest.fixture
def jobs(tiny, make_graph, fill_store):
    """The jobs of a store by label; the training ``ls/train/seed0`` has weights."""
    graph = make_graph(tiny)
    folder = fill_store(graph, failed=("ls/train/seed1",))
    for job in graph.jobs:
        write_text(folder.job_folder(job.id) / SPEC, job.model_dump_json())
    known = {one.label: one for one in known_jobs(folder)}
    write_text(weights_file(known["ls/train/seed0"]), "w")
    return known


def test_the_training_among_the_jobs_of_a_variant_is_found(jobs):
    of_seed = [one for label, one in jobs.items() if label in ("ls/train/seed0", "ls/evaluate/seed0")]
    found = only_training("ls", of_seed)
    assert found.label == "ls/train/seed0"
    assert weights_file(found, is_ema=True) == found.folder.job_folder(found.id) / EMA


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["ls/train/seed0", "ls/train/seed1"], r"x: 2 trainings, choose one: ls/train/seed0 \(train-"),
        (["ls/evaluate/seed0"], "x: expected a training, found .*: it uses those of train-"),
        (["ls/profile"], "x: expected a training, found a job without weights of its own$"),
        (["id/train/seed0"], "x: expected a finished training with weights, found done"),
        (["ls/train/seed1"], "found failed after"),
    ],
)
def test_anything_else_is_one_line_with_the_way_out(jobs, labels, message):
    with pytest.raises(UsageError, match=message):
        only_training("x", [jobs[label] for label in labels])


def test_weights_of_earlier_code_are_not_used(jobs):
    due = replace(jobs["ls/train/seed0"], due="code of mixer acme changed (acme.py)")
    with pytest.raises(
        UsageError, match=r"with weights, found due: code of mixer acme changed .*; `lsbench run`"
    ):
        only_training("x", [due])


@pytest.fixture
def detectors(tiny, make_graph, fill_store):
    """Jobs of detectors that have not run, one of which tests the weights of the other."""
    data = {"name": "fashion_coco", "train_images": 4, "test_images": 2}
    tiny["variants"] = tiny["variants"][:1]
    tiny["jobs"] = ["train", {"detect": {"dataset": data}}]
    tiny["jobs"].append({"detect": {"name": "again", "dataset": data, "trained_by": "detect"}})
    graph = make_graph({**tiny, "seeds": [0]})
    folder = fill_store(graph, lambda job: None)
    for job in graph.jobs:
        write_text(folder.job_folder(job.id) / SPEC, job.model_dump_json())
    return {one.label: one for one in known_jobs(folder)}


@pytest.mark.parametrize(
    ("label", "with_wholes", "message"),
    [
        ("ls/detect/seed0", True, "x: expected a finished training with weights, found "),
        (
            "ls/detect/seed0",
            False,
            "x: expected the training of a classifier, found a detector or segmenter$",
        ),
        ("ls/again/seed0", True, "x: expected a training, found .*: it uses those of detect-"),
    ],
)
def test_a_detector_that_has_not_been_trained_is_told_as_such(label, with_wholes, message, detectors):
    with pytest.raises(UsageError, match=message):
        only_training("x", [detectors[label]], with_wholes=with_wholes)
