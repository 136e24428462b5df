import numpy as np
import pytest
import torch

from lsbench.core.errors import ConfigError, DataError
from lsbench.data.augment import Augment
from lsbench.data.image_folder import list_images
from lsbench.data.loader import create_eval_loader, create_train_loader

STRONG = Augment(random_resized_crop=True, auto_augment="rand-m9-mstd0.5-inc1", erase=0.5)


def train(folders, *, in_memory=False, augment=STRONG, **options):
    settings = {"img_size": 16, "batch_size": 5, "seed": 0, **options}
    return create_train_loader(folders, augment=augment, in_memory=in_memory, **settings)


def epoch(loader, number):
    loader.set_epoch(number)
    return list(loader)


def same(first, second):
    return len(first) == len(second) and all(
        torch.equal(x, u) and torch.equal(y, v) for (x, y), (u, v) in zip(first, second, strict=True)
    )


@pytest.mark.parametrize(("in_memory", "augment"), [(False, STRONG), (True, Augment(crop_padding=2))])
def test_a_resumed_run_sees_the_batches_of_an_unbroken_one(colours, in_memory, augment):
    unbroken = train(colours, in_memory=in_memory, augment=augment)
    epochs = [epoch(unbroken, number) for number in range(3)]
    resumed = train(colours, in_memory=in_memory, augment=augment)
    torch.manual_seed(99)
    assert same(epoch(resumed, 2), epochs[2])
    assert not same(epochs[1], epochs[2])
    assert not same(epoch(train(colours, in_memory=in_memory, augment=augment, seed=1), 0), epochs[0])


def test_workers_change_nothing(colours):
    alone, helped = train(colours), train(colours, num_workers=2)
    for number in (0, 1):
        assert same(epoch(alone, number), epoch(helped, number))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_global_generators_are_left_alone(colours, num_workers):
    loader = train(colours, num_workers=num_workers)
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(0)
    np.random.seed(0)
    epoch(loader, 0)
    assert torch.equal(torch.rand(3), expected[0])
    assert np.array_equal(np.random.rand(3), expected[1])


@pytest.mark.parametrize("in_memory", [False, True])
def test_batches_are_full_and_typed(colours, in_memory):
    loader = train(colours, in_memory=in_memory, augment=Augment())
    batches = epoch(loader, 0)
    assert len(loader) == len(batches) == 2
    for images, targets in batches:
        assert images.shape == (5, 3, 16, 16)
        assert images.dtype == torch.float32
        assert targets.dtype == torch.int64


@pytest.mark.parametrize("in_memory", [False, True])
def test_evaluation_covers_every_image_in_order(colours, in_memory):
    loader = create_eval_loader(colours, split="val", img_size=16, batch_size=5, in_memory=in_memory)
    targets = torch.cat([targets for _, targets in loader])
    assert targets.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert len(loader) == 3
    assert loader.paths == list_images(colours, "val").paths


def test_both_paths_see_the_same_pixels(garments):
    def pixels(in_memory):
        loader = train(
            garments, in_memory=in_memory, augment=Augment(flip=0.0), split="val", batch_size=50, img_size=32
        )
        images, targets = epoch(loader, 0)[0]
        return images.double().sum(dim=(1, 2, 3)).sort().values, targets.bincount()

    for memory, disk in zip(pixels(True), pixels(False), strict=True):
        torch.testing.assert_close(memory, disk, rtol=1e-4, atol=1e-2)


def test_what_cannot_be_loaded_is_said_plainly(colours):
    with pytest.raises(ConfigError, match=r"at least one batch of 13 .* found 12 images"):
        train(colours, batch_size=13)
    with pytest.raises(ConfigError, match="kept in memory"):
        train(colours, in_memory=True)
    with pytest.raises(DataError, match="'test' split"):
        train(colours, split="test")
