import pytest
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.readers.folder import READER


def test_splits_are_folders_and_classes_their_folders(colours):
    assert READER.find_splits(colours.root, ("train", "val", "test")) == colours.splits
    (colours.split("val") / "n0").mkdir()
    assert READER.class_names(colours.split("val"), None) == ["n0", "n1", "n2", "n3"]


def test_every_kind_of_image_file_of_known_classes_is_found(colours):
    place = colours.split("train")
    (place / "n1" / "0.png").rename(place / "n1" / "0.WEBP")
    (place / "n1" / "notes.txt").write_text("")
    opened = READER.open_split(place, ("n1", "n3"), None)
    assert sorted((image.target, image.name) for image in opened.images) == [
        (0, "0.WEBP"),
        *((0, f"{i}.png") for i in range(1, 4)),
        *((1, f"{i}.png") for i in range(4)),
    ]
    first = opened.images[0]
    with opened.reader[first.row][0] as file:
        assert file.read(4) in (b"\x89PNG", b"RIFF")
    assert READER.where(place, "n1/0.WEBP", first.row, opened.reader) == str(place / "n1" / "0.WEBP")


def test_the_validation_split_has_three_names(tmp_path):
    for name in ("valid", "validation", "train"):
        (tmp_path / name).mkdir()
    found = READER.find_splits(tmp_path, ("train", "val"))
    assert found == {"train": tmp_path / "train", "val": tmp_path / "validation"}
    (tmp_path / "val").symlink_to("gone")
    with pytest.raises(DataError, match=r"the link .*val leads to \(gone\)"):
        READER.find_splits(tmp_path, ("train", "val"))
    (tmp_path / "val").unlink()
    (tmp_path / "val").write_text("../elsewhere/val")
    with pytest.raises(DataError, match=r"the folder of a split at .*val, found a file"):
        READER.find_splits(tmp_path, ("train", "val"))


def test_links_are_followed_and_dead_ones_are_named(colours, tmp_path):
    place = colours.split("train")
    (place / "n1").rename(tmp_path / "elsewhere")
    (place / "n1").symlink_to(tmp_path / "elsewhere")
    (place / "n2" / "0.png").unlink()
    (place / "n2" / "0.png").symlink_to(tmp_path / "elsewhere" / "1.png")
    assert len(READER.open_split(place, ("n1", "n2"), None).images) == 8
    (tmp_path / "elsewhere" / "1.png").unlink()
    with pytest.raises(DataError, match=r"the link .*n2/0\.png leads to"):
        READER.open_split(place, ("n1", "n2"), None)


def test_litter_and_other_files_are_counted_and_not_read(colours):
    place = colours.split("train")
    for path in ("n1/@eaDir/0.png/THUMB.jpg", "n1/.ipynb_checkpoints/0.png", "__MACOSX/._n1/._0.png"):
        (place / path).parent.mkdir(parents=True)
        (place / path).write_bytes(b"")
    for path in ("n1/._0.png", ".DS_Store", "n2/Thumbs.db", "n2/1.gif", "n2/2.JFIF", "beside.png"):
        (place / path).write_bytes(b"")
    assert READER.class_names(place, None) == ["n1", "n2", "n3"]
    assert len(READER.open_split(place, ("n1", "n2", "n3"), None).images) == 12
    litter = {"._*": 1, ".DS_Store": 1, ".ipynb_checkpoints": 1, "@eaDir": 1, "Thumbs.db": 1, "__MACOSX": 1}
    assert READER.left_out(place).to_json() == [litter, {".gif": 1, ".jfif": 1, ".png": 1}]


def test_a_folder_without_images_has_none(tmp_path):
    assert not READER.open_split(tmp_path, ("n1",), None).images


def test_folders_may_have_the_numbers_of_the_classes(tmp_path):
    names = tuple(f"n{number:02d}" for number in range(12))
    for number in (2, 9, 10):
        (tmp_path / str(number)).mkdir()
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / str(number) / "a.png")
    opened = READER.open_split(tmp_path, names, names)
    red = {}
    for image in opened.images:
        with opened.reader[image.row][0] as file:
            red[image.target] = Image.open(file).getpixel((0, 0))[0]
    assert red == {2: 2, 9: 9, 10: 10}, "'10' comes before '2' by name"
    found = {image.target: READER.where(tmp_path, "", image.row, opened.reader) for image in opened.images}
    assert found[10] == str(tmp_path / "10" / "a.png")


def test_a_class_that_is_called_a_number_is_itself(tmp_path):
    (tmp_path / "1").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "1" / "a.png")
    assert [image.target for image in READER.open_split(tmp_path, ("1", "x"), ("x", "x")).images] == [0]
