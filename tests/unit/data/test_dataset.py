from pathlib import Path

import pytest
from torchvision.datasets.folder import IMG_EXTENSIONS

from lsbench.core.errors import DataError
from lsbench.core.registry import DATASETS
from lsbench.data.dataset import IMAGE_EXTENSIONS, ImageFolders, corrupted_size


def test_the_extensions_are_those_of_torchvision():
    assert set(IMAGE_EXTENSIONS) == set(IMG_EXTENSIONS)


def test_a_benchmark_of_corruptions_has_one_size_for_every_model():
    found = {name: corrupted_size(DATASETS.load(name)) for name in DATASETS.own_names()}
    assert {name: size for name, size in found.items() if size} == {"imagenet": 224, "imagenet_c": 224}


def test_a_missing_split_is_named_with_what_is_there():
    folders = ImageFolders(Path("/x"), {"val": Path("/x/val")}, ("a", "b"))
    assert folders.num_classes == 2
    assert folders.split("val") == Path("/x/val")
    with pytest.raises(DataError, match="expected a 'train' split in /x, found: val"):
        folders.split("train")
    shards = ImageFolders(Path("/x"), {"val": Path("/x/val")}, ("a", "b"), reader="wds")
    with pytest.raises(DataError, match="found: val; add that split"):
        shards.split("train")
