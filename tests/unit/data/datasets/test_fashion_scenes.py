import numpy as np
import pytest
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.datasets.fashion_scenes import DATASET, MEAN, STD, FashionScenesSpec

SMALL = {"val_images": 10, "test_images": 10}


def pixels(folders, split):
    paths = sorted(folders.split(split).glob("*/*.png"))
    return {path.name: np.asarray(Image.open(path)) for path in paths}


def test_scenes_are_colour_and_do_not_depend_on_how_many_there_are():
    few = pixels(DATASET.prepare(FashionScenesSpec(train_images=10, **SMALL), None), "train")
    many = pixels(DATASET.prepare(FashionScenesSpec(train_images=30, **SMALL), None), "train")
    assert (len(few), len(many)) == (10, 30)
    for name, image in few.items():
        assert image.shape == (48, 48, 3)
        assert np.array_equal(image, many[name])


def test_the_constants_fit_the_scenes():
    train = DATASET.prepare(FashionScenesSpec(train_images=400, **SMALL), None)
    values = np.stack(list(pixels(train, "train").values())) / 255
    assert values.mean(axis=(0, 1, 2)) == pytest.approx(MEAN, abs=0.02)
    assert values.std(axis=(0, 1, 2)) == pytest.approx(STD, abs=0.02)


@pytest.mark.parametrize("change", [{"img_size": 64}, {"seed": 1}, {"fragments": 2}, {"test_images": 100}])
def test_the_fingerprint_follows_whatever_changes_pixels(change):
    assert DATASET.fingerprint(FashionScenesSpec(**change), None) != DATASET.fingerprint(
        FashionScenesSpec(), None
    )


def test_an_unknown_split_is_named():
    with pytest.raises(DataError, match="found 'dev'"):
        DATASET.num_images(FashionScenesSpec(), "dev")
