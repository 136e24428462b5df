import pytest

from lsbench.core.errors import DataError
from lsbench.data.datasets.image_folder import DATASET, ImageFolderSpec


def test_val_stands_in_for_test(colours):
    spec = ImageFolderSpec(root=colours.root)
    folders = DATASET.prepare(spec, None)
    assert folders.split("test") == folders.split("val")
    assert folders.wnids == ("n1", "n2", "n3")
    assert DATASET.num_classes(spec) == 3
    assert DATASET.num_images(spec, "train") is None


def test_a_test_folder_is_used_where_there_is_one(colours):
    (colours.root / "test" / "n1").mkdir(parents=True)
    folders = DATASET.prepare(ImageFolderSpec(root="colours"), colours.root.parent)
    assert folders.split("test") == colours.root / "test"


def test_unknown_classes_and_empty_roots_are_named(colours, tmp_path):
    (colours.split("val") / "n9").mkdir()
    with pytest.raises(DataError, match=r"only classes of 'train' .* found also n9"):
        DATASET.prepare(ImageFolderSpec(root=colours.root), None)
    with pytest.raises(DataError, match="found none"):
        DATASET.prepare(ImageFolderSpec(root=tmp_path / "nothing"), None)
    (tmp_path / "bare" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match="expected class folders"):
        DATASET.num_classes(ImageFolderSpec(root=tmp_path / "bare"))
