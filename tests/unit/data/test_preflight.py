import io
import shutil

import numpy as np
import pytest
from PIL import ExifTags, Image
from torchvision.datasets.folder import default_loader

from lsbench.core.errors import DataError
from lsbench.core.registry import DATASETS
from lsbench.data import preflight
from lsbench.data.imagenet.ilsvrc import class_list
from lsbench.data.loading.image_list import list_images
from lsbench.data.preflight import check_data

PLUGIN = DATASETS.load("image_folder")


def grey_picture():
    file = io.BytesIO()
    Image.effect_noise((40, 40), 50).save(file, "JPEG")
    return file.getvalue()


PICTURE = grey_picture()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path):
    """Two classes of three RGB photos of 40x48 pixels in ``val``."""
    root = tmp_path / "photos"
    noise = np.random.default_rng(0)
    for wnid in ("n00000001", "n00000002"):
        (root / "val" / wnid).mkdir(parents=True)
        for number in range(3):
            pixels = noise.integers(0, 256, (48, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "val" / wnid / f"{number}.png")
    return root


def check(root, **options):
    return check_data(PLUGIN, PLUGIN.spec(root=root), None, **options)


def first_of(root):
    return root / "val" / "n00000001" / "0.png"


def test_a_good_folder_is_described(photos):
    report = check(photos)
    assert report.is_good
    report.require()
    assert (report.classes, report.known_classes, report.images) == (2, 2, {"val": 6})
    assert report.looked_at == 6
    assert report.sizes.model_dump() == {"smallest": (40, 48), "median": (40, 48), "largest": (40, 48)}
    assert report.modes == {"RGB": 6}
    assert report.notes == ("classes are WordNet ids, numbered in sorted order: n00000001 is 0",)


def test_the_hash_is_that_of_content_and_names_wherever_they_lie(photos, tmp_path):
    found = check(photos).sha256
    assert check(shutil.copytree(photos, tmp_path / "copy")).sha256 == found
    shutil.move(tmp_path / "copy/val/n00000001/0.png", tmp_path / "copy/val/n00000001/3.png")
    assert check(tmp_path / "copy").sha256 != found
    Image.new("RGB", (40, 48)).save(first_of(photos))
    assert check(photos).sha256 != found


def test_other_modes_are_named_with_what_becomes_of_them(photos):
    folder = photos / "val" / "n00000002"
    for number, mode in enumerate(("L", "RGBA", "CMYK")):
        (folder / f"{number}.png").unlink()
        ending = "jpg" if mode == "CMYK" else "png"
        Image.new(mode, (40, 48)).save(folder / f"{number}.{ending}")
    Image.new("RGB", (500, 20)).save(folder / "wide.png")
    report = check(photos)
    assert report.is_good
    assert report.modes == {"CMYK": 1, "L": 1, "RGB": 4, "RGBA": 1}
    notes = "\n".join(report.notes)
    assert "1 of 7 images are grey: repeated in three channels (first: n00000002/0.png)" in notes
    assert "1 of 7 images have an alpha channel: it is dropped, not composited" in notes
    assert "1 of 7 images are CMYK: converted to RGB without a colour profile" in notes
    assert "1 of 7 images are below 32 px (first: n00000002/wide.png, 500x20)" in notes
    assert (report.sizes.smallest, report.sizes.largest) == ((40, 48), (500, 20))


def test_a_cut_and_a_16_bit_image_are_one_line_each_and_looked_at_again(photos):
    whole = first_of(photos).read_bytes()
    first_of(photos).write_bytes(whole[: len(whole) // 2])
    (line,) = check(photos).problems
    assert line.startswith(f"expected a readable image at {first_of(photos)}, found:")
    with pytest.raises(DataError, match="truncated"):
        check(photos).require()

    first_of(photos).write_bytes(whole)
    assert check(photos).is_good
    deep = photos / "val" / "n00000002" / "9.png"
    Image.fromarray(np.full((40, 40), 40_000, dtype=np.uint16)).save(deep)
    shutil.copy(deep, deep.with_name("8.png"))
    (line,) = check(photos).problems
    assert "values of more than 8 bits (mode I;16), which RGB would clip" in line
    assert line.endswith("(and 1 more of the 8 checked)")


def test_a_file_made_whole_in_place_is_seen_at_once(photos):
    whole = first_of(photos).read_bytes()
    first_of(photos).write_bytes(bytes(len(whole)))
    assert not check(photos).is_good
    first_of(photos).write_bytes(whole)
    assert check(photos).is_good


def test_a_good_answer_is_kept_until_files_change(photos, monkeypatch):
    first = check(photos)
    monkeypatch.setattr(preflight, "list_images", None)
    assert check(photos) == first
    Image.new("RGB", (9, 9)).save(photos / "val" / "n00000001" / "new.png")
    with pytest.raises(TypeError):
        check(photos)


def test_a_sample_is_spread_and_all_are_looked_at_where_wanted(photos, monkeypatch):
    monkeypatch.setattr(preflight, "SAMPLED", 3)
    assert check(photos).looked_at == 3
    assert check(photos).sha256 != check(photos, is_complete=True).sha256
    (photos / "val" / "n00000002" / "2.png").write_bytes(b"nothing")  # the last of six
    assert check(photos).is_good
    (line,) = check(photos, is_complete=True).problems
    assert "n00000002/2.png, found: cannot identify image file" in line


def test_only_the_splits_asked_for_are_looked_at(photos):
    shutil.copytree(photos / "val", photos / "train")
    (photos / "train" / "n00000001" / "0.png").write_bytes(b"nothing")
    assert check(photos, splits=["val"]).is_good
    assert check(photos, splits=["test"]).images == {"test": 6}
    report = check(photos)
    assert report.images == {"train": 6, "val": 6}
    assert "train/n00000001/0.png" in report.problems[0]
    (line,) = check(photos, splits=["dev"]).problems
    assert "expected a 'dev' split" in line


def test_missing_data_is_the_plugins_own_line(tmp_path):
    report = check(tmp_path / "nowhere")
    assert report.root is None
    (line,) = report.problems
    assert "expected at least one of the splits" in line
    assert "store them as class folders" in line


def test_classes_named_by_numbers_and_absent_classes_are_told(photos):
    shutil.copytree(photos / "val", photos / "train")
    for name, number in (("n00000001", "9"), ("n00000002", "10")):
        (photos / "train" / name).rename(photos / "train" / number)
        (photos / "val" / name).rename(photos / "val" / number)
    shutil.rmtree(photos / "val" / "9")
    report = check(photos)
    assert report.is_good
    assert report.notes == (
        "classes are named by numbers and numbered in the order of texts: 10 is 0, 9 is 1",
        "val: no image of 9",
    )


def test_files_that_are_not_read_are_counted_and_looked_for_each_time(photos):
    Image.new("RGB", (40, 40)).save(photos / "val" / "n00000001" / "9.gif")
    endings = ".jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff, .webp"
    assert check(photos).notes[1:] == (f"val: 1 file not read: 1 .gif; images end in {endings}",)
    (photos / "val" / "n00000001" / "9.jfif").write_bytes(PICTURE)
    (photos / "val" / "n00000002" / "@eaDir").mkdir()
    (photos / "val" / "n00000002" / "._0.png").write_bytes(b"")
    (photos / "val" / ".DS_Store").write_bytes(b"")
    notes = "\n".join(check(photos).notes)
    assert "val: 2 files not read: 1 .gif, 1 .jfif; images end in" in notes
    assert "val: 3 files of other programs ignored: 1 .DS_Store, 1 ._*, 1 @eaDir" in notes
    assert check(photos).images == {"val": 6}


def test_turned_photos_are_counted_and_read_as_they_lie(photos):
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    upright = Image.Exif()
    upright[ExifTags.Base.Orientation] = 1
    for name, exif in (("8.jpg", turned), ("9.jpg", upright), ("7.jpg", b"Exif\0\0no EXIF")):
        Image.new("RGB", (60, 40)).save(photos / "val" / "n00000002" / name, exif=exif)
    report = check(photos)
    assert report.is_good
    (note,) = [note for note in report.notes if "EXIF" in note]
    assert note.startswith(
        "1 of 9 images have an EXIF orientation (first: n00000002/8.jpg): it is not applied"
    )
    images = list_images(PLUGIN.prepare(PLUGIN.spec(root=photos), None), "val")
    with_torchvision = default_loader(str(photos / "val" / "n00000002" / "8.jpg"))
    assert images.decode(7).size == with_torchvision.size == (60, 40)


def test_a_second_validation_folder_is_told(photos):
    shutil.copytree(photos / "val", photos / "valid")
    assert f"{photos / 'valid'} is not read: {photos / 'val'} is the val split" in check(photos).notes


def test_the_first_number_that_is_not_its_index_is_told(photos):
    for number in (0, 1, 2, 3, 5, 6):
        shutil.copytree(photos / "val" / "n00000001", photos / "train" / f"{number:03}")
    shutil.rmtree(photos / "val")
    (note,) = check(photos).notes
    assert note.endswith("in the order of texts: 000 is 0, 001 is 1, 002 is 2, 005 is 4")


def test_a_single_class_is_told(photos):
    shutil.rmtree(photos / "val" / "n00000001")
    (note,) = [note for note in check(photos).notes if "class" in note and "WordNet" not in note]
    assert note.startswith("there is only one class, n00000002: any model is always right")


@pytest.mark.parametrize("reader", ["folder", "wds", "hfds"])
def test_litter_is_told_alike_in_any_storage(photos, tmp_path, store_images, reader):
    for path in ("n00000001/._0.png", "n00000001/.1.png"):
        (photos / "val" / path).write_bytes(b"no image")
    root = store_images(photos, tmp_path / reader, reader)
    report = check_data(PLUGIN, PLUGIN.spec(root=root, reader=reader), None)
    assert (report.problems, report.images) == ((), {"val": 6})
    assert "val: 2 files of other programs ignored: 1 .1.png, 1 ._*" in report.notes


def test_a_masked_set_says_so_and_strange_folders_are_wrong():
    plugin = DATASETS.load("fashion_renditions")
    spec = plugin.spec(images_per_class=5)
    report = check_data(plugin, spec, None)
    assert (report.classes, report.known_classes, report.is_good) == (6, 10, True)
    assert "images of 6 of 10 classes, as masked evaluation expects" in report.notes
    root = plugin.prepare(spec, None).root
    shutil.copytree(next(root.glob("n*")), root / "dress")
    (line,) = check_data(plugin, spec, None).problems
    assert f"expected only the 6 classes of the data set in {root}, found also dress; remove" in line


@pytest.mark.parametrize("reader", ["wds", "hfds"])
def test_other_storage_has_the_same_hash(photos, tmp_path, store_images, reader):
    root = store_images(photos, tmp_path / reader, reader)
    report = check_data(PLUGIN, PLUGIN.spec(root=root, reader=reader), None)
    assert (report.sha256, report.modes) == (check(photos).sha256, {"RGB": 6})


def write_numbered(root):
    for number in range(1000):
        (root / str(number)).mkdir(parents=True)
        (root / str(number) / "0.jpeg").write_bytes(PICTURE)


def test_published_folders_with_numbers_are_looked_at_under_their_wordnet_ids(tmp_path):
    write_numbered(tmp_path / "v2")
    plugin = DATASETS.load("imagenet_v2")
    report = check_data(plugin, plugin.spec(root=tmp_path / "v2"), None)
    assert (report.is_good, report.classes, report.images) == (True, 1000, {"test": 1000})
    assert report.notes == (
        "classes are WordNet ids, numbered in sorted order: n01440764 is 0",
        "256 of 256 images are grey: repeated in three channels (first: n01440764/0.jpeg)",
    )
    (tmp_path / "v2" / "999" / "0.jpeg").write_bytes(PICTURE[:-30])
    (line,) = check_data(plugin, plugin.spec(root=tmp_path / "v2"), None, is_complete=True).problems
    assert f"{tmp_path / 'v2' / '999' / '0.jpeg'}, found: " in line


def test_a_folder_that_is_missing_or_numbered_is_named_once(tmp_path):
    write_numbered(tmp_path / "a")
    plugin = DATASETS.load("imagenet_a")
    (line,) = check_data(plugin, plugin.spec(root=tmp_path / "a"), None).problems
    assert "expected the 200" in line
    shutil.rmtree(tmp_path / "a")
    for wnid in class_list("imagenet_a_synsets.txt")[1:]:
        (tmp_path / "a" / wnid).mkdir(parents=True)
        (tmp_path / "a" / wnid / "0.jpg").write_bytes(PICTURE)
    (line,) = check_data(plugin, plugin.spec(root=tmp_path / "a"), None).problems
    assert "found 199: 1 missing (n01498041)" in line
