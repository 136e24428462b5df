import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from lsbench.core.errors import DataError
from lsbench.data.datasets.fashion import DATASET, FashionSpec
from lsbench.data.garments import pack


def test_the_constants_are_those_of_the_training_images():
    values = pack.read_pack()["train"].images / 255
    assert pack.MEAN[0] == pytest.approx(values.mean(), abs=5e-5)
    assert pack.STD[0] == pytest.approx(values.std(), abs=5e-5)


def test_files_hold_the_source_pixels_under_the_right_class(garments):
    test = pack.read_pack()["test"]
    row = 1000  # the first trouser
    path = garments.split("test") / "n03594734" / f"{test.indices[row]:05d}.png"
    assert np.array_equal(np.asarray(Image.open(path)), test.images[row])
    assert len(list(garments.split("train").glob("*/*.png"))) == 200


def test_the_fingerprint_follows_the_images_not_the_size_they_are_read_at():
    plain = DATASET.fingerprint(FashionSpec(), None)
    assert DATASET.fingerprint(FashionSpec(img_size=64), None) == plain
    assert DATASET.fingerprint(FashionSpec(train_images=100), None) != plain


@pytest.mark.parametrize("wrong", [{"train_images": 15}, {"train_images": 9010}, {"name": "other"}])
def test_impossible_specs_are_refused(wrong):
    with pytest.raises(ValidationError):
        FashionSpec(**wrong)


def test_an_unknown_split_is_named():
    with pytest.raises(DataError, match="found 'dev'"):
        DATASET.num_images(FashionSpec(), "dev")
