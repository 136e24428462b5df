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
    assert READER.where(place, "n1/0.WEBP", 0) == str(place / "n1" / "0.WEBP")


def test_a_folder_without_images_has_none(tmp_path):
    assert not READER.open_split(tmp_path, ("n1",), None).images
