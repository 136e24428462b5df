from types import SimpleNamespace

from lsbench.core.registry import DATASETS
from lsbench.core.tasks import TASKS, task_of


def test_a_data_set_that_names_no_task_knows_classes_of_images():
    assert task_of(SimpleNamespace()) == "classification"
    assert task_of(SimpleNamespace(task="detection")) == "detection"
    assert {task_of(DATASETS.load(name)) for name in DATASETS.own_names()} <= set(TASKS)
    assert task_of(DATASETS.load("imagenet")) == "classification"
