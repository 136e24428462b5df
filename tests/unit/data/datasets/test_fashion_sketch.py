import numpy as np
from PIL import Image

from lsbench.data.datasets.fashion_sketch import DATASET, FashionSketchSpec
from lsbench.data.garments import pack
from lsbench.data.garments.stylise import draw_sketch


def test_the_first_test_photos_of_every_class_are_drawn():
    folders = DATASET.prepare(FashionSketchSpec(images_per_class=3), None)
    assert folders.subset is None
    assert len(list(folders.root.glob("*/*.png"))) == 30
    test = pack.read_pack()["test"].balanced_prefix(30)
    for row in (0, 29):
        path = folders.root / pack.wnids()[test.labels[row]] / f"{test.indices[row]:05d}.png"
        assert np.array_equal(np.asarray(Image.open(path)), draw_sketch(test.images[row]))
