"""Every job kind of lsbench keeps the promises of its kind; a new one is covered at once."""

import pytest

from lsbench.core.registry import JOBS
from lsbench.testing.test_job import *  # noqa: F403 - every promise is tested here


@pytest.fixture(params=JOBS.own_names())
def name(request):
    return request.param


SCENES = {"img_size": 64, "train_images": 8, "test_images": 4}
#: What makes a job quick.
QUICK = {
    "detect": {
        "dataset": {"name": "fashion_coco", **SCENES},
        "batch_size": 4,
        "head": {"channels": 16, "convs": 1},
    },
    "segment": {
        "dataset": {"name": "fashion_ade", **SCENES},
        "batch_size": 4,
        "head": {"channels": 16, "head_channels": 16},
    },
    "train": {"epochs": 1, "batch_size": 20},
    "robustness": {"corruptions": ["fog"], "severities": [1]},
    "profile": {"probes": ["params"]},
    "analyze": {"kind": "erf", "num_images": 4, "batch_size": 2},
}


@pytest.fixture
def settings(name):
    return QUICK.get(name, {})
