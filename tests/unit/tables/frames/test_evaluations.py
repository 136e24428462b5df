import numpy as np
import pytest

from lsbench.core.errors import StoreError
from lsbench.store.job_files import PREDICTIONS
from lsbench.tables.frames.evaluations import read_evaluations
from lsbench.tables.frames.load import load_table


@pytest.fixture
def graph(tiny, make_graph, tested):
    return tested(make_graph(tiny))


@pytest.fixture
def folder(graph, fill_store, keep_answers):
    found = fill_store(graph, failed=("id/evaluate/seed1",))
    keep_answers(found, graph)
    return found


def test_each_protocol_of_each_finished_evaluation_is_read(folder):
    found = list(read_evaluations(folder, load_table([folder])))
    own = [(one.variant, one.seed) for one in found if one.dataset == "fashion"]
    assert own == [("ls", 0), ("ls", 1), ("id", 0)]
    other = [one for one in found if one.dataset == "imagenet_a"]
    assert [one.is_first for one in other] == [True, False] * 4
    assert ["classes=6" in one.protocol for one in other] == [True, False] * 4
    assert len({one.way for one in found}) == 3


def test_only_some_variants_are_read(folder):
    assert {one.variant for one in read_evaluations(folder, load_table([folder]), ["id"])} == {"id"}


def test_robustness_jobs_and_evaluations_of_before_are_left_out(graph, fill_store):
    folder = fill_store(graph)
    for job in graph.jobs:
        given = {"score_top1": np.ones(2, bool), "images_sha256": np.array("abc")}
        if job.kind == "robustness":
            given |= {"targets": np.zeros(2), "predictions": np.zeros((4, 2))}
        np.savez(folder.job_folder(job.id) / PREDICTIONS, **given)
    assert list(read_evaluations(folder, load_table([folder]))) == []


def test_damage_is_named(folder, graph):
    job = next(job for job in graph.jobs if job.label == "ls/evaluate/seed0")
    (folder.job_folder(job.id) / PREDICTIONS).write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(StoreError, match="damaged"):
        list(read_evaluations(folder, load_table([folder])))
