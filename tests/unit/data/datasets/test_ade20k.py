import numpy as np
import pytest
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.datasets.ade20k import DATASET, Ade20kSpec
from lsbench.data.preflight import check_data


@pytest.fixture
def root(tmp_path):
    for word in ("training", "validation"):
        for kind in ("images", "annotations"):
            (tmp_path / "ADEChallengeData2016" / kind / word).mkdir(parents=True)
        place = tmp_path / "ADEChallengeData2016"
        Image.new("RGB", (64, 48)).save(place / "images" / word / "ADE_1.jpg")
        labels = np.array([[0, 1, 150]], np.uint8).repeat(16, axis=0).repeat(20, axis=1)
        Image.fromarray(labels).resize((64, 48), Image.Resampling.NEAREST).save(
            place / "annotations" / word / "ADE_1.png"
        )
    return tmp_path


def test_the_published_folders_are_read(root):
    data = DATASET.prepare(Ade20kSpec(), root)
    assert data.reduce_zero_label
    assert data.num_classes == DATASET.num_classes(Ade20kSpec()) == 150
    assert data.split("test") == data.split("val") == data.root / "images" / "validation"
    report = check_data(DATASET, Ade20kSpec(), root)
    assert report.problems == ()
    assert (report.images, report.classes) == ({"train": 1, "val": 1}, 2)
    assert DATASET.fingerprint(Ade20kSpec(max_size=9), root) != DATASET.fingerprint(Ade20kSpec(), root)
    assert DATASET.num_images(Ade20kSpec(), "train") == 20_210


def test_missing_data_says_how_to_get_it(tmp_path):
    with pytest.raises(
        DataError, match=r"images/<training\|validation>, found none; unpack ADEChallengeData2016.zip"
    ):
        DATASET.prepare(Ade20kSpec(root=tmp_path), None)
