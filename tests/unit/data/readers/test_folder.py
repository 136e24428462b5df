from PIL import Image

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
