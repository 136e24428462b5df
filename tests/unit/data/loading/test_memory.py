import numpy as np
import pytest
import torch
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.loading.augment import Augment
from lsbench.data.loading.image_list import list_images
from lsbench.data.loading.memory import MemoryEvalLoader, MemoryTrainLoader, decode_all
from lsbench.data.loading.train_order import TrainOrder, eval_batches
from lsbench.data.loading.unreadable import UnreadableBudget


def evaluation_of(folders, split, *, img_size, batch_size):
    images = list_images(folders, split)
    return MemoryEvalLoader(folders, images, eval_batches(len(images), batch_size), img_size=img_size)


def test_grey_images_keep_one_channel_and_their_pixels(garments):
    images = list_images(garments, "val")
    pixels, targets = decode_all(images, 28, UnreadableBudget(0))
    assert targets.tolist() == list(images.targets)
    assert pixels.shape == (50, 1, 28, 28)
    with Image.open(images.folder / images.paths[7]) as stored:
        assert np.array_equal(pixels[7, 0].numpy(), np.asarray(stored))


def test_colour_images_are_resized_to_the_square(colours):
    pixels, _ = decode_all(list_images(colours, "train"), 16, UnreadableBudget(0))
    assert pixels.shape == (12, 3, 16, 16)


def test_an_unaugmented_epoch_is_a_permutation_of_the_evaluation(garments):
    images = list_images(garments, "val")
    evaluation = evaluation_of(garments, "val", img_size=32, batch_size=20)
    assert [len(y) for _, y in evaluation] == [20, 20, 10]
    assert evaluation.paths == images.paths
    order = TrainOrder(len(images), seed=0, batch_size=25)
    train = MemoryTrainLoader(garments, images, order, img_size=32, augment=Augment(flip=0.0))
    expected = torch.cat([x for x, _ in evaluation])
    found = torch.cat([x for x, _ in train])
    assert found.shape == expected.shape == (50, 3, 32, 32)
    places = [int((expected == pixels).all(dim=(1, 2, 3)).nonzero()) for pixels in found]
    assert sorted(places) == list(range(50))
    assert places != list(range(50))


def test_normalised_training_images_have_about_unit_variance(garments):
    loader = evaluation_of(garments, "train", img_size=28, batch_size=200)
    pixels, _ = next(iter(loader))
    assert abs(pixels.mean()) < 0.1
    assert abs(pixels.std() - 1) < 0.1


def test_an_unreadable_image_is_replaced_with_its_target(colours):
    (colours.split("train") / "n1" / "3.png").write_bytes(b"no image")
    images, budget = list_images(colours, "train"), UnreadableBudget(1)
    pixels, targets = decode_all(images, 16, budget)
    assert torch.equal(pixels[3], pixels[4])
    assert targets.tolist() == [0] * 3 + [1] * 5 + [2] * 4
    assert budget.paths == ("n1/3.png",)
    with pytest.raises(DataError, match=r"n1/3\.png"):
        decode_all(images, 16, UnreadableBudget(0))
    for path in colours.split("train").rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="expected readable images, found none"):
        decode_all(images, 16, UnreadableBudget(50))
