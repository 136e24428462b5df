import pytest

from lsbench.core.errors import DataError
from lsbench.data.datasets import imagenet_real
from lsbench.data.datasets.imagenet_real import DATASET, ImageNetRealSpec
from lsbench.data.imagenet.ilsvrc import ilsvrc_wnids
from lsbench.data.loading.image_list import list_images


def names_of(numbers):
    return [f"ILSVRC2012_val_{number:08d}.JPEG" for number in numbers]


@pytest.fixture
def imagenet(write_classes):
    """ImageNet's place with the first 20 images, five of which have no label, in the first class."""
    root = write_classes("imagenet/val", ilsvrc_wnids(), names_of([20]))
    for name in names_of(range(1, 20)):
        (root / "imagenet" / "val" / ilsvrc_wnids()[0] / name).write_bytes(b"12")
    return root


def test_images_have_their_labels_and_those_without_are_left_out(imagenet):
    folders = DATASET.prepare(ImageNetRealSpec(), imagenet)
    images = list_images(folders, "test")
    first = {
        path: labels for path, labels in zip(images.paths, images.labels, strict=True) if "0764/" in path
    }
    assert len(first) == 19, "of the first 20 images, one has no label"
    assert "n01440764/ILSVRC2012_val_00000001.JPEG" not in first
    assert first["n01440764/ILSVRC2012_val_00000002.JPEG"] == (970, 795)
    assert first["n01440764/ILSVRC2012_val_00000004.JPEG"] == (809, -1)
    assert DATASET.num_images(ImageNetRealSpec(), "test") == 46_837
    assert set(folders.splits) == {"test"}


def test_the_fingerprint_follows_images_and_labels(imagenet, monkeypatch):
    first = DATASET.fingerprint(ImageNetRealSpec(), imagenet)
    (imagenet / "imagenet" / "val" / ilsvrc_wnids()[1] / names_of([20])[0]).write_bytes(b"123")
    second = DATASET.fingerprint(ImageNetRealSpec(), imagenet)
    monkeypatch.setattr(imagenet_real, "real_labels_sha256", lambda: "other")
    assert len({first, second, DATASET.fingerprint(ImageNetRealSpec(), imagenet)}) == 3


def test_without_the_validation_images_it_says_how_to_get_them(tmp_path):
    with pytest.raises(DataError, match=r"imagenet/val, found nothing; register at image-net\.org"):
        DATASET.prepare(ImageNetRealSpec(), tmp_path)
