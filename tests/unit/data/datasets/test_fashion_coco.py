import numpy as np
import pytest

from lsbench.data.datasets.fashion_coco import DATASET, FashionCocoSpec
from lsbench.data.detection.samples import open_split
from lsbench.data.garments.annotated import MEAN, STD
from lsbench.data.preflight import check_prepared

SMALL = FashionCocoSpec(train_images=30, test_images=8)


def test_the_real_reader_reads_the_published_layout():
    data = DATASET.prepare(SMALL, None)
    assert data.categories == ("top", "trouser", "dress", "shoe", "bag")
    assert data.num_classes == DATASET.num_classes(SMALL) == 5
    assert data.split("train") == data.root / "annotations" / "instances_train2017.json"
    assert data.split("test") == data.split("val")
    report = check_prepared(data, "fashion_coco")
    assert report.problems == ()
    assert report.images == {"train": 30, "val": 8}
    split = open_split(data, "train", with_masks=True, for_training=True)
    for index in range(len(split)):
        _, target = split.read(index)
        for box, mask in zip(target["boxes"].tolist(), target["masks"].numpy(), strict=True):
            rows, columns = np.nonzero(mask)
            assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_the_constants_fit_the_scenes():
    split = open_split(DATASET.prepare(FashionCocoSpec(train_images=100, test_images=1), None), "train",
                       with_masks=False, for_training=False)  # fmt: skip
    values = np.stack([split.decode(index).numpy() for index in range(100)]) / 255
    assert values.mean(axis=(0, 2, 3)) == pytest.approx(MEAN, abs=0.02)
    assert values.std(axis=(0, 2, 3)) == pytest.approx(STD, abs=0.02)
