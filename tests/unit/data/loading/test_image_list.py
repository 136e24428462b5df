import io
import tarfile
from dataclasses import replace

import pytest
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.datasets.image_folder import DATASET, ImageFolderSpec
from lsbench.data.loading.image_list import UnreadableImageError, list_images


def test_paths_are_sorted_and_targets_follow_the_wnids(colours):
    images = list_images(colours, "train")
    assert images.paths[:2] == ("n1/0.png", "n1/1.png")
    assert images.targets == (0,) * 4 + (1,) * 4 + (2,) * 4
    assert images.decode(0).mode == "RGB"


def test_targets_do_not_depend_on_the_order_of_wnids_or_on_absent_classes(colours):
    shuffled = replace(colours, wnids=("n3", "n0", "n1", "n2"))
    images = list_images(shuffled, "val")
    assert dict(zip(images.paths, images.targets, strict=True))["n3/0.png"] == 3
    assert set(images.targets) == {1, 2, 3}


def test_a_limit_keeps_every_class(colours):
    images = list_images(replace(colours, limit=6), "train")
    assert images.targets == (0, 0, 1, 1, 2, 2)
    assert len(list_images(replace(colours, limit=99), "train")) == 12


def test_images_may_have_several_answers_or_none(colours):
    answers = {"n1/0.png": (2, 0), "n1/3.png": (0,), "n3/1.png": (1, 2, 0)}
    folders = replace(colours, answers=lambda path: answers.get(path, ()))
    images = list_images(folders, "val")
    assert images.paths == ("n1/0.png", "n1/3.png", "n3/1.png")
    assert images.targets == (0, 0, 2)
    assert images.labels == images.accepted == ((2, 0, -1), (0, -1, -1), (1, 2, 0))
    with Image.open(colours.split("val") / "n3" / "1.png") as expected:
        assert images.decode(2).tobytes() == expected.tobytes()
    assert list_images(replace(folders, limit=2), "val").paths == ("n1/0.png", "n1/3.png")
    assert list_images(colours, "val").labels == list_images(colours, "val").targets


def test_a_split_whose_images_have_no_answer_is_empty(colours):
    with pytest.raises(DataError, match="found none with a label"):
        list_images(replace(colours, answers=lambda path: ()), "val")


def test_an_empty_split_and_a_broken_image_are_named(colours):
    (colours.split("train") / "n1" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"n1/0\.png, found:"):
        list_images(colours, "train").decode(0)
    for path in colours.split("val").rglob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match="found none"):
        list_images(colours, "val")


@pytest.mark.parametrize(
    ("reader", "where"),
    [
        ("wds", "n2/1.png in the shards of .*train"),
        ("hfds", r"row \d+ \(n2/1\.png\) of split 'train' in .*"),
    ],
)
def test_a_broken_image_is_named_in_any_storage(colours, tmp_path, store_images, reader, where):
    (colours.split("train") / "n2" / "1.png").write_bytes(b"no image")
    root = store_images(colours.root, tmp_path / reader, reader)
    images = list_images(DATASET.prepare(ImageFolderSpec(root=root, reader=reader), None), "train")
    with pytest.raises(UnreadableImageError, match=rf"^expected a readable image at {where}, f") as caught:
        images.decode(5)
    assert caught.value.path == "n2/1.png"
    assert str(caught.value).endswith("cannot identify image file; replace the file")


def test_images_of_one_name_are_told_apart_by_their_shards(tmp_path):
    for number in (0, 1):
        with tarfile.open(tmp_path / f"train-{number}.tar", "w") as tar:
            picture = io.BytesIO()
            Image.new("RGB", (4, 4), (number, 0, 0)).save(picture, "PNG")
            info = tarfile.TarInfo("cat/0.png")
            info.size = picture.tell()
            picture.seek(0)
            tar.addfile(info, picture)
    images = list_images(DATASET.prepare(ImageFolderSpec(root=tmp_path, reader="wds"), None), "train")
    assert images.paths == ("cat/train-0/0.png", "cat/train-1/0.png")
    assert [images.decode(i).getpixel((0, 0)) for i in (0, 1)] == [(0, 0, 0), (1, 0, 0)]


def test_a_cut_image_and_a_missing_file_are_unreadable(colours):
    place, images = colours.split("train"), list_images(colours, "train")
    whole = (place / "n1" / "0.png").read_bytes()
    (place / "n1" / "0.png").write_bytes(whole[: len(whole) // 2])
    (place / "n1" / "1.png").unlink()
    for index in (0, 1):
        with pytest.raises(UnreadableImageError, match=rf"n1/{index}\.png, found:"):
            images.decode(index)


def stored(colours, image, ending="png"):
    """Store an image in the place of the first one and return what is read of it."""
    place = colours.split("train") / "n1"
    (place / "0.png").unlink()
    image.save(place / f"0.{ending}")
    return list_images(colours, "train").decode(0)


def test_grey_alpha_and_palette_become_rgb(colours):
    assert stored(colours, Image.new("L", (4, 4), 77)).getpixel((0, 0)) == (77, 77, 77)
    transparent = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    (colours.split("train") / "n1" / "0.png").write_bytes(b"")
    assert stored(colours, transparent).getpixel((0, 0)) == (10, 20, 30)
    assert stored(colours, Image.new("RGB", (4, 4), (9, 8, 7)).quantize()).getpixel((0, 0)) == (9, 8, 7)


def test_inks_of_a_cmyk_jpeg_become_rgb(colours):
    image = stored(colours, Image.new("CMYK", (8, 8), (255, 0, 0, 51)), "jpg")
    assert image.mode == "RGB"
    assert image.getpixel((4, 4)) == pytest.approx((0, 204, 204), abs=3)


@pytest.mark.parametrize(("mode", "ending"), [("I;16", "png"), ("I", "tif"), ("F", "tif")])
def test_more_than_8_bits_are_refused_and_not_clipped(colours, mode, ending):
    with pytest.raises(UnreadableImageError, match=r"n1/0\.\w+, found: values of more than 8 bits"):
        stored(colours, Image.new(mode, (4, 4)), ending)
