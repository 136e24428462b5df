import random

import numpy as np
import pytest
import torch

from lsbench.core.errors import DataError
from lsbench.data.dataset import IMAGENET_MEAN, IMAGENET_STD
from lsbench.data.loading.keep_ratio import Scaling
from lsbench.data.loading.target_loader import TargetEvalLoader, TargetTrainLoader, create_test_loader
from lsbench.data.loading.train_order import TrainOrder


def read(index):
    if index == 5:
        raise DataError("five is broken")
    return index, float(torch.rand(())), random.random(), float(np.random.rand())


def loaded(*, workers=0, images=4, epoch=0, start=0, **options):
    loader = TargetTrainLoader(read, TrainOrder(images, 0, 2, **options), list, num_workers=workers)
    loader.set_epoch(epoch, start)
    assert len(loader) == images // 2
    return list(loader)


def test_draws_depend_on_seed_epoch_and_index_alone():
    first = loaded()
    assert sorted(sample[0] for chunk in first for sample in chunk) == [0, 1, 2, 3]
    assert loaded(workers=2) == first
    assert loaded(start=1) == first[1:]
    assert loaded(epoch=1) != first
    ranks = [loaded(chunks=2, rank=rank, world_size=2) for rank in (0, 1)]
    assert [a + b for a, b in zip(*ranks, strict=True)] == first


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_sample_is_raised_as_one_line(workers):
    with pytest.raises(DataError, match=r"^five is broken$"):
        loaded(workers=workers, images=6)
    loader = TargetEvalLoader(read, [[0], [5]], list, paths=("a",), num_workers=workers)
    assert (len(loader), loader.paths) == (2, ("a",))
    with pytest.raises(DataError, match=r"^five is broken$"):
        list(loader)


def test_no_image_is_ever_replaced():
    assert TargetTrainLoader(read, TrainOrder(4, 0, 2), list, num_workers=0).unreadable == ()


class Pictures:
    """Pictures of two shapes after padding."""

    paths = ("a", "b", "c", "d")

    def size(self, index):
        return (30, 64) if index == 1 else (50, 30)


def read_picture(index):
    return torch.zeros(3, *Pictures().size(index)), Pictures().size(index), index, f"target {index}"


@pytest.mark.parametrize("ranks", [1, 2])
def test_tests_see_each_image_once_in_batches_of_one_shape(ranks):
    scaling = Scaling(64, 64, IMAGENET_MEAN, IMAGENET_STD)
    loaders = [
        create_test_loader(Pictures(), scaling, read_picture, batch_size=2, rank=rank, world_size=ranks)
        for rank in range(ranks)
    ]
    batches = [batch for loader in loaders for batch in loader]
    assert sorted(batch.indices for batch in batches) == [(0, 2), (1,), (3,)]
    assert {batch.targets for batch in batches} == {("target 0", "target 2"), ("target 1",), ("target 3",)}
    assert {loader.paths for loader in loaders} == {Pictures.paths}
