"""The same images, in whatever storage, are the same data set: classes, order, first batches."""

import numpy as np
import pytest
import torch
from PIL import Image

from lsbench.data.datasets.image_folder import DATASET, ImageFolderSpec
from lsbench.data.datasets.imagenet import DATASET as IMAGENET
from lsbench.data.datasets.imagenet import ImageNetSpec
from lsbench.data.imagenet.ilsvrc import ilsvrc_wnids
from lsbench.data.loading.augment import Augment
from lsbench.data.loading.image_list import list_images
from lsbench.data.loading.loader import create_eval_loader, create_train_loader

RECIPE = Augment(random_resized_crop=True, auto_augment="rand-m9-mstd0.5-inc1", erase=0.25)


def first_batch(folders, **options):
    settings = {"img_size": 16, "batch_size": 6, "augment": RECIPE, "seed": 5, "in_memory": False, **options}
    return next(iter(create_train_loader(folders, **settings)))


@pytest.fixture
def stored(colours, tmp_path, store_images):
    """The data set of `colours` by reader."""

    def prepare(reader):
        root = store_images(colours.root, tmp_path / reader, reader)
        return DATASET.prepare(ImageFolderSpec(root=root, reader=reader), None)

    return prepare


@pytest.mark.parametrize("reader", ["wds", "hfds"])
def test_the_first_batch_is_the_same_to_the_bit(stored, reader):
    folder, other = stored("folder"), stored(reader)
    assert other.wnids == folder.wnids
    for split in ("train", "val", "test"):
        mine, theirs = list_images(other, split), list_images(folder, split)
        assert (mine.paths, mine.targets) == (theirs.paths, theirs.targets)
    for options in ({"repeats": 3}, {"num_workers": 2}):
        expected, found = first_batch(folder, **options), first_batch(other, **options)
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])


@pytest.mark.parametrize("reader", ["wds", "hfds"])
def test_evaluation_and_memory_see_the_same(stored, reader):
    folder, other = stored("folder"), stored(reader)
    for in_memory in (False, True):
        batches = [
            list(create_eval_loader(f, split="val", img_size=16, batch_size=5, in_memory=in_memory))
            for f in (folder, other)
        ]
        for (images, targets), (expected, labels) in zip(*batches, strict=True):
            assert torch.equal(images, expected)
            assert torch.equal(targets, labels)


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    """A photo of noise in each of ImageNet's classes, train and val."""
    root, rng = tmp_path_factory.mktemp("thousand"), np.random.default_rng(0)
    for split in ("train", "val"):
        for wnid in ilsvrc_wnids():
            (root / split / wnid).mkdir(parents=True)
            pixels = rng.integers(0, 256, (8, 9, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / split / wnid / f"{wnid}_1.png", compress_level=1)
    return root


@pytest.mark.parametrize("reader", ["wds", "hfds"])
def test_imagenet_with_all_its_classes(thousand, tmp_path, store_images, reader):
    def prepare(reader):
        root = store_images(thousand, tmp_path / reader, reader)
        spec = ImageNetSpec(root=root, reader=reader)
        return IMAGENET.prepare(spec, None), IMAGENET.fingerprint(spec, None)

    (folder, fingerprint), (other, other_fingerprint) = prepare("folder"), prepare(reader)
    assert (fingerprint == other_fingerprint) == (reader == "wds")
    assert list_images(other, "val").paths == list_images(folder, "val").paths
    expected, found = (first_batch(f, batch_size=64, repeats=3) for f in (folder, other))
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
