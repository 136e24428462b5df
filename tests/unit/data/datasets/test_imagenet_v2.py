import pytest
from pydantic import ValidationError

from lsbench.core.errors import DataError
from lsbench.data.datasets.imagenet_v2 import DATASET, ImageNetV2Spec
from lsbench.data.imagenet.ilsvrc import ilsvrc_wnids
from lsbench.data.loading.image_list import list_images

NUMBERS = [str(number) for number in range(1000)]
PLACE = "imagenetv2-{}-format-val"


@pytest.mark.parametrize("selection", ["matched-frequency", "threshold0.7", "top-images"])
def test_each_selection_lies_in_the_folder_of_its_archive(write_classes, selection):
    root = write_classes(PLACE.format(selection), NUMBERS)
    folders = DATASET.prepare(ImageNetV2Spec(selection=selection), root)
    assert folders.split("test") == root / PLACE.format(selection)
    assert ImageNetV2Spec().selection == "matched-frequency"
    with pytest.raises(ValidationError):
        ImageNetV2Spec(selection="threshold-0.7")


def test_numbered_folders_have_the_class_of_their_number_and_not_of_their_place(write_classes):
    root = write_classes(PLACE.format("matched-frequency"), NUMBERS)
    images = list_images(DATASET.prepare(ImageNetV2Spec(), root), "test")
    assert images.targets == tuple(range(1000))
    for number in (2, 9, 10, 99, 100, 999):
        red, green, _ = images.decode(number).getpixel((0, 0))
        assert 256 * red + green == number
        assert images.paths[number].split("/")[0] == ilsvrc_wnids()[number]


def test_a_broken_image_is_named_by_its_path_on_disk(write_classes):
    root = write_classes(PLACE.format("matched-frequency"), NUMBERS)
    broken = root / PLACE.format("matched-frequency") / "10" / "0.png"
    broken.write_bytes(b"no image")
    images = list_images(DATASET.prepare(ImageNetV2Spec(), root), "test")
    with pytest.raises(DataError, match=f"at {broken}, found"):
        images.decode(10)


def test_folders_under_wordnet_ids_are_read_as_well(write_classes):
    root = write_classes(PLACE.format("matched-frequency"), ilsvrc_wnids())
    images = list_images(DATASET.prepare(ImageNetV2Spec(), root), "test")
    assert images.targets == tuple(range(1000))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (NUMBERS[:-1], r"found 999: 1 missing \(999\); unpack imagenetv2-"),
        ([*NUMBERS[:-1], "n15075141"], r"1 missing \(999\) and 1 unexpected \(n15075141\)"),
        (ilsvrc_wnids()[1:], r"found 999: 1 missing \(n01440764\)"),
    ],
)
def test_the_first_wrong_folder_is_named(write_classes, names, message):
    root = write_classes(PLACE.format("matched-frequency"), names)
    with pytest.raises(DataError, match=message):
        DATASET.fingerprint(ImageNetV2Spec(), root)
