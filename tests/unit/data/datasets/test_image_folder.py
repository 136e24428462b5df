import pytest

from lsbench.core.errors import DataError
from lsbench.data.datasets.image_folder import DATASET, ImageFolderSpec
from lsbench.data.loading.image_list import list_images


def test_val_stands_in_for_test(colours):
    spec = ImageFolderSpec(root=colours.root)
    folders = DATASET.prepare(spec, None)
    assert folders.split("test") == folders.split("val")
    assert folders.wnids == ("n1", "n2", "n3")
    assert DATASET.num_classes(spec) == 3
    assert DATASET.num_images(spec, "train") is None


def test_another_normalisation_is_other_data_and_imagenets_is_none(colours):
    plain = DATASET.fingerprint(ImageFolderSpec(root=colours.root), None)
    others = [{"mean": (0.5, 0.5, 0.5)}, {"std": (0.5, 0.5, 0.5)}, {"mean": (0.5, 0.5, 0.4)}]
    found = [DATASET.fingerprint(ImageFolderSpec(root=colours.root, **other), None) for other in others]
    assert len({plain, *found}) == 4
    named = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    assert DATASET.fingerprint(ImageFolderSpec(root=colours.root, **named), None) == plain


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
    with pytest.raises(DataError, match=r"classes in .*train, found none; store class folders"):
        DATASET.num_classes(ImageFolderSpec(root=tmp_path / "bare"))


def test_a_class_that_only_one_split_knows_is_named_in_other_storage(colours, tmp_path, store_images):
    (colours.split("train") / "n2").rename(colours.split("train") / "n0")
    root = store_images(colours.root, tmp_path / "tables", "hfds")
    with pytest.raises(DataError, match=r"only classes of 'train' in .*validation, found also n2"):
        DATASET.prepare(ImageFolderSpec(root=root, reader="hfds"), None)
    for path in (colours.split("train") / "n3").iterdir():
        path.unlink()
    root = store_images(colours.root, tmp_path / "shards", "wds")
    with pytest.raises(DataError, match=r"only classes of 'train' in .*val, found also n3"):
        DATASET.prepare(ImageFolderSpec(root=root, reader="wds"), None)


@pytest.mark.parametrize(
    ("reader", "layout"),
    [("wds", r"WebDataset shards <root>/<split>/\*\.tar"), ("hfds", "parquet files <root>/data/")],
)
def test_the_wrong_reader_says_what_it_looks_for(tmp_path, reader, layout):
    with pytest.raises(DataError, match=rf"found none; store them as .*{layout}.* 'root:' or 'reader:'"):
        DATASET.fingerprint(ImageFolderSpec(root=tmp_path / "nowhere", reader=reader), None)


def test_the_same_letters_in_two_forms_of_unicode_are_no_two_classes(tmp_path):
    spec = ImageFolderSpec(root=tmp_path)
    for path in ("train/caf\u00e9", "train/n1", "val/cafe\u0301"):
        (tmp_path / path).mkdir(parents=True)
    with pytest.raises(DataError, match=r"found also cafe\u0301, which only looks the same .*Unicode"):
        DATASET.num_classes(spec)
    (tmp_path / "train" / "cafe\u0301").mkdir()
    with pytest.raises(
        DataError, match=r"differ in .*train, found 'cafe\\u0301' and 'caf\\xe9', the same letters"
    ):
        DATASET.num_classes(spec)


def test_a_folder_called_valid_is_the_validation_split(colours):
    colours.split("val").rename(colours.root / "valid")
    folders = DATASET.prepare(ImageFolderSpec(root=colours.root), None)
    assert folders.splits == {
        name: colours.root / ("valid" if name != "train" else name) for name in folders.splits
    }
    assert set(folders.splits) == {"train", "val", "test"}


def test_the_list_of_class_folders_is_nobodys_concern(colours):
    (colours.root / "classes.txt").write_text("# notes\n")
    assert DATASET.prepare(ImageFolderSpec(root=colours.root), None).numbered is None


def test_shards_are_numbered_by_the_users_list(colours, tmp_path, store_images):
    root = store_images(colours.root, tmp_path / "shards", "wds")
    (root / "classes.txt").write_text("zebra\nant\nbee\n", encoding="utf-8")
    folders = DATASET.prepare(ImageFolderSpec(root=root, reader="wds"), None)
    assert folders.wnids == ("ant", "bee", "zebra")
    assert list_images(folders, "val").targets == (0,) * 4 + (1,) * 4 + (2,) * 4
