import numpy as np
import pytest
from PIL import Image

from lsbench.data.datasets.fashion_hard import DATASET, LABELS, FashionHardSpec
from lsbench.data.garments import neighbours, pack


def files(folders):
    paths = sorted(folders.root.glob("*/*.png"))
    return {f"{path.parent.name}/{path.name}": np.asarray(Image.open(path)) for path in paths}


@pytest.fixture(scope="module")
def few():
    return DATASET.prepare(FashionHardSpec(images_per_class=20), None)


def test_they_are_test_photos_that_the_reference_gets_wrong(few):
    wnids, test = pack.wnids(), pack.read_pack()["test"]
    row_of = {index: row for row, index in enumerate(test.indices.tolist())}
    found = files(few)
    assert len(found) == 20 * len(LABELS)
    for name, pixels in found.items():
        wnid, index = name.removesuffix(".png").split("/")
        row = row_of[int(index)]
        assert wnids[test.labels[row]] == wnid
        assert np.array_equal(test.images[row], pixels)
    truth = np.array([wnids.index(name.split("/")[0]) for name in found])
    assert (neighbours.predict(np.stack(list(found.values()))) != truth).all()


def test_the_hardest_come_first(few):
    assert files(few).keys() < files(DATASET.prepare(FashionHardSpec(), None)).keys()
    votes = neighbours.count_votes(np.stack(list(files(few).values())))
    truth = [pack.wnids().index(name.split("/")[0]) for name in files(few)]
    assert votes[np.arange(len(votes)), truth].max() == 0


def test_every_class_has_as_many_as_can_be_asked_for():
    spec = FashionHardSpec(images_per_class=150)
    assert len(files(DATASET.prepare(spec, None))) == DATASET.num_images(spec, "test") == 900
