import numpy as np

from lsbench.data.datasets import fashion_coco
from lsbench.data.datasets.fashion_ade import DATASET, FashionAdeSpec
from lsbench.data.detection.samples import open_split as open_boxes
from lsbench.data.preflight import check_prepared
from lsbench.data.segmentation.samples import open_split

SMALL = {"train_images": 4, "test_images": 3}


def test_the_real_reader_reads_the_published_layout():
    spec = FashionAdeSpec(**SMALL)
    data = DATASET.prepare(spec, None)
    assert data.classes == ("background", "top", "trouser", "dress", "shoe", "bag")
    assert data.num_classes == DATASET.num_classes(spec) == 6
    assert data.split("test") == data.root / "images" / "validation"
    report = check_prepared(data, "fashion_ade")
    assert report.problems == ()
    assert report.images == {"train": 4, "val": 3}


def test_the_scenes_are_those_with_boxes():
    boxes = fashion_coco.DATASET.prepare(fashion_coco.FashionCocoSpec(**SMALL), None)
    found = open_split(DATASET.prepare(FashionAdeSpec(**SMALL), None), "val")
    split = open_boxes(boxes, "val", with_masks=True, for_training=False)
    for index in range(3):
        image, label_map = found.read(index)
        other, target = split.read(index)
        assert np.array_equal(image, other)
        expected = np.zeros(label_map.shape, np.uint8)
        for mask, label in zip(target["masks"].numpy().astype(bool), target["labels"].tolist(), strict=True):
            expected[mask] = label + 1
        assert np.array_equal(label_map, expected)
