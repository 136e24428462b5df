import io
import sys
from pathlib import Path

import datasets
import pytest
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.readers import hfds
from lsbench.data.readers.hfds import READER

NAMES = ("n1", "n2", "n3")
SPLITS = ("train", "val", "test")


@pytest.fixture
def tables(colours, tmp_path, store_images):
    return store_images(colours.root, tmp_path / "tables", "hfds")


@pytest.fixture
def write(tmp_path):
    """Write one table of small pictures; each row is a label and a file name."""

    def write_table(
        rows, *, names=("a", "b"), columns=("image", "label"), split="train", part="00000-of-00001"
    ):
        picture = io.BytesIO()
        Image.new("RGB", (4, 4)).save(picture, "PNG")
        image, label = columns
        features = datasets.Features({image: datasets.Image(), label: datasets.ClassLabel(names=list(names))})
        content = {
            image: [{"bytes": picture.getvalue(), "path": path} for _, path in rows],
            label: [number for number, _ in rows],
        }
        root = tmp_path / "own"
        (root / "data").mkdir(parents=True, exist_ok=True)
        table = datasets.Dataset.from_dict(content, features=features)
        table.to_parquet(str(root / "data" / f"{split}-{part}.parquet"))
        return root

    return write_table


def images_of(place, wnids, numbered=None):
    found = READER.open_split(place, wnids, numbered).images
    return sorted((image.target, image.name) for image in found)


def test_splits_go_by_the_words_of_datasets(tables, tmp_path):
    assert READER.find_splits(tables, SPLITS) == {"train": tables / "train", "val": tables / "validation"}
    assert READER.find_splits(tmp_path / "nowhere", SPLITS) == {}
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected parquet files .*empty, found nothing that datasets"):
        READER.find_splits(tmp_path / "empty", SPLITS)


def test_a_loading_script_is_never_run(write, monkeypatch):
    root = write([(0, "x.png")])
    script = root / f"{root.name}.py"
    script.write_text("raise SystemExit('it ran')\n")
    monkeypatch.chdir(root)
    monkeypatch.setenv("HF_DATASETS_TRUST_REMOTE_CODE", "1")
    for place in (root, Path()):
        with pytest.raises(DataError, match=rf"{script.name}: a loading script, which lsbench never runs"):
            READER.find_splits(place, SPLITS)


def test_classes_are_those_that_have_rows(write):
    root = write([(2, "x.png"), (0, "y.png")], names=("z", "y", "x"))
    assert READER.class_names(root / "train", None) == ["x", "z"]
    assert images_of(root / "train", ("x", "y", "z")) == [(0, "x.png"), (2, "y.png")]


def test_names_that_are_no_classes_stand_for_their_numbers(write):
    root = write([(1, "x.png"), (0, None)], names=("tench", "goldfish"))
    numbered = ("n01440764", "n01443537")
    assert READER.class_names(root / "train", numbered) == list(numbered)
    assert images_of(root / "train", numbered, numbered) == [(0, "1"), (1, "x.png")]


def test_file_names_that_contradict_the_labels_are_refused(write):
    root = write([(0, "n01443537_7.JPEG"), (1, "val_1_n01443537.JPEG")], names=("tench", "goldfish"))
    with pytest.raises(DataError, match=r"found n01443537_7\.JPEG with the label of n01440764"):
        images_of(root / "train", NAMES, ("n01440764", "n01443537"))


def test_columns_are_known_by_their_types(write):
    root = write([(0, "x.png")], columns=("img", "fine"))
    assert images_of(root / "train", ("a", "b")) == [(0, "x.png")]
    columns = {"a": datasets.Image(), "b": datasets.Image(), "c": datasets.Value("int64")}
    assert hfds._only({"image": datasets.Image(), **columns}, datasets.Image, "image", root) == "image"
    with pytest.raises(DataError, match=r"one column of type Image .* found a, b among a, b, c; name it 'i"):
        hfds._only(columns, datasets.Image, "image", root / "train")
    with pytest.raises(DataError, match=r"type ClassLabel .* found none among a, b, c; name it 'label'"):
        hfds._only(columns, datasets.ClassLabel, "label", root / "train")


def test_a_split_without_labels_is_refused(write):
    root = write([(-1, "x.png"), (0, "y.png")], split="test")
    with pytest.raises(DataError, match=r"labels from 0 to 1 in split 'test' .* found -1"):
        READER.class_names(root / "test", None)


def test_a_folder_that_is_no_table_is_opened_as_well(colours):
    splits = READER.find_splits(colours.root, SPLITS)
    assert READER.class_names(splits["val"], None) == list(NAMES)
    assert len(images_of(splits["train"], NAMES)) == 12


def test_a_missing_part_and_a_dead_link_are_named(tables):
    part = tables / "data" / "train-00001-of-00002.parquet"
    part.rename(tables / "elsewhere")
    with pytest.raises(
        DataError, match=r"2 files of split 'train' in .*data, found 1: number 00001 is missing"
    ):
        READER.find_splits(tables, SPLITS)
    part.symlink_to("gone")
    with pytest.raises(DataError, match=r"the link .*train-00001-of-00002\.parquet leads to"):
        READER.find_splits(tables, SPLITS)


def test_parts_that_name_their_classes_differently_are_refused(write):
    root = write([(0, "x.png")], names=("a", "b"), part="00001-of-00002")
    write([(0, "y.png")], names=("b", "a"), part="00000-of-00002")
    with pytest.raises(
        DataError, match=r"same classes .* 'train', found others in column 'label' of .*00001-of"
    ):
        READER.class_names(root / "train", None)


def test_a_list_of_other_classes_is_refused(write):
    root = write([(1, "x.png"), (0, "y.png")], names=("tench", "goldfish"))
    with pytest.raises(
        DataError, match=r"names for the 2 classes of split 'train' .*, found 1 \(n1, \.\.\.\)"
    ):
        READER.class_names(root / "train", ("n1",))


def test_litter_is_left_out_and_counted(write):
    rows = [
        (0, "a/x.png"),
        (1, "__MACOSX/a/x.png"),
        (0, "._y.png"),
        (0, None),
        (1, ".ipynb_checkpoints/z.png"),
    ]
    root = write(rows)
    assert READER.class_names(root / "train", None) == ["a"]
    assert images_of(root / "train", ("a", "b")) == [(0, "3"), (0, "x.png")]
    litter = {"._*": 1, ".ipynb_checkpoints": 1, "__MACOSX": 1}
    assert READER.left_out(root / "train").to_json() == [litter, {}]


def test_rows_without_images_are_unreadable_and_paths_start_at_the_root(write, tmp_path, monkeypatch):
    root = write([(0, "x.png"), (0, "y.png")])
    opened = READER.open_split(root / "train", ("a",), None)
    rows = [None, {"bytes": None, "path": None}, {"bytes": b"", "path": "pictures/z.png"}]
    monkeypatch.setattr(opened.reader, "dataset", [{"image": row} for row in rows])
    for row in (0, 1):
        with pytest.raises(OSError, match="a row without an image"):
            opened.reader[row]
    (root / "pictures").mkdir()
    (root / "pictures" / "z.png").write_bytes(b"z")
    with opened.reader[2][0] as file:
        assert file.read() == b"z"


def test_the_fingerprint_follows_files_and_names(tables, write, tmp_path):
    splits = READER.find_splits(tables, SPLITS)
    first = READER.fingerprint(splits, None)
    assert len(first) == 64
    tables.rename(tmp_path / "moved")
    moved = READER.find_splits(tmp_path / "moved", SPLITS)
    assert READER.fingerprint(moved, None) == first
    del moved["val"]
    assert READER.fingerprint(moved, None) != first


def test_planning_converts_nothing(tables, monkeypatch):
    monkeypatch.setattr(hfds, "_open", lambda _: pytest.fail("converted"))
    splits = READER.find_splits(tables, SPLITS)
    READER.fingerprint(splits, None)
    assert READER.class_names(splits["train"], None) == list(NAMES)


def test_the_missing_package_is_named(tables, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r'pip install "lsbench\[hf\]"'):
        READER.find_splits(tables, SPLITS)


def test_where_names_the_row():
    assert (
        READER.where(hfds.Path("a/validation"), "n1/0.png", 7, None)
        == "row 7 (n1/0.png) of split 'validation' in a"
    )
