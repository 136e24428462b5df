from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsbench.core.job import JobContext
from lsbench.engine.open_data import open_data
from lsbench.engine.sample import read_sample
from lsbench.jobs.analyze import AnalyzeSpec

SCENES = {"name": "fashion_scenes", "img_size": 32, "train_images": 10, "val_images": 10, "test_images": 20}


@pytest.fixture
def create_context(tiny, make_graph, tmp_path):
    def create(dataset):
        tiny["defaults"]["dataset"] = dataset
        job = make_graph({**tiny, "jobs": [{"analyze": {"weights": "fresh"}}]}).jobs[0]
        return JobContext(job, AnalyzeSpec.model_validate(job.spec), tmp_path, {}, "cpu", print)

    return create


def test_images_are_evenly_spaced_over_the_classes(create_context):
    sample = read_sample(open_data(create_context(SCENES)), "test", 10)
    assert sample.images.shape == (10, 3, 32, 32)
    assert len({Path(path).parent.name for path in sample.paths}) == 10


def test_pictures_are_the_files_pixels_and_masks_lie_on_the_garment(create_context):
    data = open_data(create_context(SCENES))
    sample = read_sample(data, "test", 5)
    folder = data.folders.split("test")
    for path, picture, mask in zip(sample.paths, sample.pictures, sample.masks, strict=True):
        pixels = np.asarray(Image.open(folder / path)) / 255
        assert picture == pytest.approx(pixels, abs=1e-5)
        assert 0.05 < mask.mean() < 0.7


def test_a_data_set_without_masks_gives_none(create_context):
    data = open_data(create_context({"name": "fashion", "img_size": 32, "test_images": 20}))
    sample = read_sample(data, "test", 100)
    assert sample.masks is None
    assert len(sample.images) == 20, "no more than there are"
