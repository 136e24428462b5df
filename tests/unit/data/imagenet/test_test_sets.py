import random

import pytest
from PIL import Image
from pydantic import ValidationError

from lsbench.core.errors import DataError
from lsbench.data.imagenet.ilsvrc import class_list, ilsvrc_wnids
from lsbench.data.imagenet.test_sets import ImageNetTestSet, ImageNetTestSetSpec, first_folder
from lsbench.data.loading.image_list import list_images

CLASSES = class_list("imagenet_a_synsets.txt")


class HardSpec(ImageNetTestSetSpec):
    name: str = "hard"


HARD = ImageNetTestSet(
    spec=HardSpec,
    title="Hard",
    folders=("hard", "hard-images"),
    how_to_get="unpack hard.tar",
    images=200,
    classes="imagenet_a_synsets.txt",
)


@pytest.fixture
def hard(tmp_path):
    """A photo in each of the 200 classes, whose colour is the position in the 1,000; made in no order."""
    position = {wnid: index for index, wnid in enumerate(ilsvrc_wnids())}
    for wnid in random.Random(0).sample(CLASSES, len(CLASSES)):
        folder = tmp_path / "hard-images" / wnid
        folder.mkdir(parents=True)
        colour = (position[wnid] // 256, position[wnid] % 256, 0)
        Image.new("RGB", (4, 4), colour).save(folder / "0.png", compress_level=0)
    (tmp_path / "hard-images" / "README.txt").write_text("not a class")
    return tmp_path


def test_targets_are_positions_in_the_1000_classes(hard):
    folders = HARD.prepare(HardSpec(), hard)
    images = list_images(folders, "test")
    for index, target in enumerate(images.targets):
        red, green, _ = images.decode(index).getpixel((0, 0))
        assert 256 * red + green == target
    assert set(images.targets) == set(folders.subset)
    assert folders.num_classes == HARD.num_classes(HardSpec()) == 1000
    assert [folders.wnids[index] for index in folders.subset] == list(CLASSES)


def test_the_only_split_is_the_test_split(hard):
    folders = HARD.prepare(HardSpec(), hard)
    assert set(folders.splits) == {"test"}
    with pytest.raises(DataError, match="expected a 'val' split"):
        folders.split("val")
    assert (HARD.num_images(HardSpec(), "test"), HARD.num_images(HardSpec(), "val")) == (200, None)


def test_a_class_that_lacks_a_folder_or_is_unknown_is_named(hard):
    (hard / "hard-images" / CLASSES[7]).rename(hard / "elsewhere")
    message = rf"200 class folders of Hard in .*hard-images, found 199: 1 missing \({CLASSES[7]}\); unpack"
    for call in (HARD.fingerprint, HARD.prepare):
        with pytest.raises(DataError, match=message):
            call(HardSpec(), hard)


def test_numbered_folders_are_refused(hard):
    for number, wnid in enumerate(CLASSES):
        (hard / "hard-images" / wnid).rename(hard / "hard-images" / str(number))
    with pytest.raises(DataError, match=r"found 200 named by number \(0, 1, 10, \.\.\.\)"):
        HARD.prepare(HardSpec(), hard)


def test_a_missing_folder_says_how_to_get_the_data(tmp_path):
    with pytest.raises(DataError, match=rf"^expected Hard in {tmp_path}/hard, .*; unpack hard\.tar$"):
        HARD.fingerprint(HardSpec(), tmp_path)
    with pytest.raises(DataError, match="--data"):
        HARD.fingerprint(HardSpec(), None)
    with pytest.raises(ValidationError):
        HardSpec(reader="wds")


def test_the_first_folder_that_exists_is_taken(tmp_path):
    names = ("a", "b")
    assert first_folder(None, tmp_path, names) == tmp_path / "a"
    (tmp_path / "b").mkdir()
    assert first_folder(None, tmp_path, names) == tmp_path / "b"
    (tmp_path / "a").mkdir()
    assert first_folder(None, tmp_path, names) == tmp_path / "a"
    assert first_folder(tmp_path / "own", tmp_path, names) == tmp_path / "own"
