import numpy as np
import pytest
import torch
from PIL import Image

from lsbench.core.errors import ConfigError, DataError
from lsbench.core.registry import DATASETS
from lsbench.data.drawn_images import (
    LARGEST,
    DrawnImages,
    drawn_size,
    images_of_folder,
    images_of_split,
    nearest,
)
from lsbench.data.loading.keep_ratio import Scaling

SCALING = Scaling(64, 96, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


@pytest.fixture(scope="module")
def prepare(tmp_path_factory):
    def prepared(name):
        plugin = DATASETS.load(name)
        return plugin.prepare(plugin.spec(img_size=64, train_images=1, test_images=6), None)

    return prepared


@pytest.mark.parametrize("name", ["fashion_coco", "fashion_ade"])
def test_images_of_a_data_set_are_evenly_spaced_and_come_as_the_test_sees_them(name, prepare):
    drawn = images_of_split(prepare(name), "test", SCALING, num_images=3)
    whole = images_of_split(prepare(name), "test", SCALING, num_images=99)
    assert (len(drawn), len(whole)) == (3, 6)
    assert drawn.names == whole.names[::2]
    first, *_ = drawn
    assert first.picture.shape == (64, 64, 3)
    assert first.picture.dtype == np.uint8
    expected = torch.from_numpy(first.picture).permute(2, 0, 1) / 255 * 4 - 2
    torch.testing.assert_close(first.image, expected, atol=1e-5, rtol=0)
    assert (first.truth is None) == (name == "fashion_coco")
    assert first.truth is None or set(np.unique(first.truth)) <= set(range(6))


def test_images_are_found_by_path_or_name_in_the_asked_order(prepare):
    data = prepare("fashion_ade")
    whole = images_of_split(data, "test", SCALING, num_images=99)
    stem = whole.names[4].rpartition(".")[0]
    found = images_of_split(data, "test", SCALING, names=[stem, whole.names[0]], num_images=1)
    assert found.names == (whole.names[4], whole.names[0])
    assert np.array_equal(found[0].picture, whole[4].picture)
    with pytest.raises(ConfigError, match=r"images: ADE_val_0000000: no image is called so .*did you mean"):
        images_of_split(data, "test", SCALING, names=["ADE_val_0000000"], num_images=1)


def test_a_name_of_two_images_is_refused(tmp_path):
    for name in ("a.png", "a.jpg"):
        Image.new("RGB", (40, 40)).save(tmp_path / name)
    assert images_of_folder(tmp_path, "detection", SCALING, names=["a.png"], num_images=1).names == ("a.png",)
    with pytest.raises(ConfigError, match="images: a: 2 images are called so"):
        images_of_folder(tmp_path, "detection", SCALING, names=["a"], num_images=1)


def test_a_data_set_of_whole_images_is_refused(prepare, tmp_path):
    from lsbench.data.dataset import ImageFolders

    with pytest.raises(ConfigError, match="for detection or segmentation, found one for classification"):
        images_of_split(ImageFolders(tmp_path, {}, ()), "test", SCALING, num_images=1)


@pytest.mark.parametrize(("task", "size"), [("detection", (48, 96)), ("segmentation", (64, 96))])
def test_pictures_of_ones_own_keep_their_proportions(task, size, tmp_path):
    Image.new("L", (200, 100), 128).save(tmp_path / "wide.png")
    (one,) = images_of_folder(tmp_path, task, SCALING, num_images=5)
    assert one.picture.shape == (100, 200, 3)
    assert one.image.shape == (3, *size)
    assert one.truth is None


def test_photos_stand_as_their_camera_was_held(tmp_path):
    image, exif = Image.new("RGB", (60, 40)), Image.Exif()
    image.paste((255, 0, 0), (0, 0, 60, 10))  # at the top, which is the right side of the upright photo
    exif[0x0112] = 6
    image.save(tmp_path / "photo.png", exif=exif)
    (one,) = images_of_folder(tmp_path, "detection", SCALING, num_images=1)
    assert one.picture.shape == (60, 40, 3)
    assert (one.picture[:, 30:] == (255, 0, 0)).all()
    assert not one.picture[:, :30].any()


def test_an_unreadable_picture_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"expected a readable image at .*a\.png"):
        images_of_folder(tmp_path, "detection", SCALING, num_images=1)[0]


def test_a_very_large_picture_is_drawn_smaller_but_seen_whole():
    truth = np.zeros((2, 2 * LARGEST), np.uint8)
    truth[:, LARGEST:] = 7
    image = torch.zeros((3, 2, 2 * LARGEST), dtype=torch.uint8)
    seen = []
    drawn = DrawnImages(("a",), lambda index: (image, truth), lambda given: seen.append(given.shape) or given)
    assert drawn[0].picture.shape == (1, LARGEST, 3)
    assert drawn[0].truth.tolist() == [[0] * (LARGEST // 2) + [7] * (LARGEST // 2)]
    assert seen[0] == image.shape
    with pytest.raises(IndexError):
        drawn[1]
    assert drawn_size((1200, 3)) == (1200, 3)


def test_labels_are_taken_not_mixed():
    labels = np.array([[0, 255], [3, 9]], np.uint8)
    assert nearest(labels, (4, 2)).tolist() == [[0, 255], [0, 255], [3, 9], [3, 9]]
    assert nearest(labels, (1, 1)).tolist() == [[0]]
