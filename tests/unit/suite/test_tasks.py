import pytest

from lsbench.core.errors import ConfigError
from lsbench.suite.loader import load_suite

CARTOONS = """
from lsbench.data.datasets.fashion import FashionDataset, FashionSpec

class CartoonsSpec(FashionSpec):
    name: str = "cartoons"

class Cartoons(FashionDataset):
    spec = CartoonsSpec
    task = "detection"

    def num_classes(self, spec, data_root=None):
        return 3

DATASET = Cartoons()
"""
FIND = """
from typing import ClassVar
from lsbench.core.job import JobKind, JobSpec

class Find(JobSpec):
    data_fields: ClassVar = ("dataset",)
    reads_instead: ClassVar = True
    dataset: str | None = None
    by_class: bool = False

    def data_task(self, usual):
        return "classification" if self.by_class else usual

JOB = JobKind(Find, run=lambda context: [], version=1, cost=lambda spec, macs, images: macs * images("train"),
              task="detection")
QUANTITIES = ()
"""


@pytest.fixture(autouse=True)
def _installed(install):
    install(
        {"acme.cartoons": CARTOONS, "acme.find": FIND},
        {"lsbench.datasets": {"cartoons": "acme.cartoons"}, "lsbench.jobs": {"find": "acme.find"}},
    )


def problem(content, write_suite):
    with pytest.raises(ConfigError) as caught:
        load_suite(write_suite(content))
    (line,) = str(caught.value).splitlines()
    return line


def test_a_classification_job_refuses_boxes(tiny, write_suite):
    tiny["defaults"]["dataset"] = "cartoons"
    tiny["jobs"] = ["train"]
    line = problem(tiny, write_suite)
    assert "jobs[0].train: expected a data set for classification, found 'cartoons'" in line
    assert "which is for detection; name one of: fashion, " in line
    tiny["defaults"]["dataset"] = "fashion"
    tiny["jobs"] = ["train", {"evaluate": {"on": "cartoons"}}]
    assert "jobs[1].evaluate: expected a data set for classification" in problem(tiny, write_suite)


def test_a_detection_job_refuses_classes_of_images(tiny, write_suite):
    tiny["jobs"] = ["find"]
    line = problem(tiny, write_suite)
    assert "jobs[0].find: expected a data set for detection, found 'fashion'" in line
    assert "name one of: cartoons, " in line


def test_settings_may_change_the_task_of_a_job(tiny, write_suite):
    tiny["jobs"] = [{"find": {"by_class": True}}]
    assert load_suite(write_suite(tiny)).jobs[0].kind == "find"
    tiny["jobs"] = [{"find": {"by_class": True, "dataset": "cartoons"}}]
    assert "expected a data set for classification, found 'cartoons'" in problem(tiny, write_suite)


def test_a_job_of_another_task_names_its_data_beside_that_of_its_training(tiny, make_graph):
    tiny["jobs"] = ["train", {"find": {"dataset": "cartoons", "needs": ["train"]}}]
    graph = make_graph(tiny)
    found = [job for job in graph.jobs if job.kind == "find"]
    train = next(job for job in graph.jobs if job.kind == "train")
    assert len(found) == 4
    assert all(job.id and job.dataset_fingerprint != train.dataset_fingerprint for job in found)
    assert {"data set cartoons"} <= set(found[0].code), "what is read is part of the state of the code"


def test_what_reads_no_images_takes_any_data(tiny, write_suite):
    tiny["defaults"]["dataset"] = "cartoons"
    tiny["jobs"] = [{"profile": {"batch_size": 2}}]
    assert load_suite(write_suite(tiny)).variants[0].dataset["name"] == "cartoons"


@pytest.mark.parametrize(
    ("data", "task"),
    [
        ("coco", "detection"),
        ("fashion_coco", "detection"),
        ("ade20k", "segmentation"),
        ("fashion_ade", "segmentation"),
    ],
)
def test_the_sets_that_ship_are_refused_by_classification(data, task, tiny, write_suite):
    tiny["defaults"]["dataset"] = data
    tiny["jobs"] = ["train"]
    assert f"found '{data}', which is for {task}" in problem(tiny, write_suite)


def test_the_task_of_an_analysis_is_that_of_the_models_it_looks_at(tiny, write_suite):
    tiny["jobs"] = ["train", {"analyze": {"kind": "detections", "weights": "fresh"}}]
    line = problem(tiny, write_suite)
    assert "jobs[1].analyze: expected a data set for detection, found 'fashion', which is for" in line
    assert "fashion_coco" in line
