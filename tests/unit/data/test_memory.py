import numpy as np
import torch
from PIL import Image

from lsbench.data.augment import Augment
from lsbench.data.image_folder import list_images
from lsbench.data.memory import MemoryEvalLoader, MemoryTrainLoader, decode_all


def test_grey_images_keep_one_channel_and_their_pixels(garments):
    images = list_images(garments, "val")
    pixels = decode_all(images, 28)
    assert pixels.shape == (50, 1, 28, 28)
    with Image.open(images.folder / images.paths[7]) as stored:
        assert np.array_equal(pixels[7, 0].numpy(), np.asarray(stored))


def test_colour_images_are_resized_to_the_square(colours):
    assert decode_all(list_images(colours, "train"), 16).shape == (12, 3, 16, 16)


def test_an_unaugmented_epoch_is_a_permutation_of_the_evaluation(garments):
    images = list_images(garments, "val")
    evaluation = MemoryEvalLoader(garments, images, img_size=32, batch_size=20)
    assert [len(y) for _, y in evaluation] == [20, 20, 10]
    assert evaluation.paths == images.paths
    train = MemoryTrainLoader(garments, images, img_size=32, batch_size=25, augment=Augment(flip=0.0), seed=0)
    expected = torch.cat([x for x, _ in evaluation])
    found = torch.cat([x for x, _ in train])
    assert found.shape == expected.shape == (50, 3, 32, 32)
    places = [int((expected == pixels).all(dim=(1, 2, 3)).nonzero()) for pixels in found]
    assert sorted(places) == list(range(50))
    assert places != list(range(50))


def test_normalised_training_images_have_about_unit_variance(garments):
    loader = MemoryEvalLoader(garments, list_images(garments, "train"), img_size=28, batch_size=200)
    pixels, _ = next(iter(loader))
    assert abs(pixels.mean()) < 0.1
    assert abs(pixels.std() - 1) < 0.1
