import numpy as np
import pytest
import torch
from PIL import Image

from lsbench.core.errors import ConfigError, DataError
from lsbench.data.loading.keep_ratio import Scaling
from lsbench.data.loading.train_order import TrainOrder
from lsbench.data.segmentation.loader import create_eval_loader, create_train_loader
from lsbench.data.segmentation.samples import open_split
from lsbench.data.segmentation.transforms import create_train_transform

SCALING = Scaling(48, 96, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


def loaded(ade, *, workers=0, epoch=0, batch_size=1):
    split = open_split(ade, "val")
    order = TrainOrder(len(split), 0, batch_size)
    loader = create_train_loader(split, create_train_transform(SCALING, crop=32), order, num_workers=workers)
    loader.set_epoch(epoch)
    return list(loader)


def equal(one, other):
    return all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(one, other, strict=True))


def test_samples_depend_on_seed_epoch_and_index_alone(ade):
    first = loaded(ade)
    assert len(first) == 3
    images, label_maps = first[0]
    assert (images.shape, label_maps.shape, label_maps.dtype) == ((1, 3, 32, 32), (1, 32, 32), torch.int64)
    assert equal(first, loaded(ade))
    assert equal(first, loaded(ade, workers=2))
    assert not equal(first, loaded(ade, epoch=1))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_test_images_come_with_label_maps_of_their_own_size(ade, batch_size):
    split = open_split(ade, "val")
    batches = list(create_eval_loader(split, SCALING, batch_size=batch_size))
    assert [batch.indices for batch in batches] == ([(0,), (2,), (1,)] if batch_size == 1 else [(0, 2), (1,)])
    for batch in batches:
        for row, index in enumerate(batch.indices):
            assert batch.targets[row].shape == split.size(index) == batch.original_sizes[row]
            assert batch.images.shape[2:] == batch.image_sizes[row]
            assert np.array_equal(batch.targets[row], split.label_map(index))


def test_errors_are_one_line(ade):
    Image.fromarray(np.full((40, 60), 77, np.uint8)).save(ade.label_maps["val"] / "a.png")
    with pytest.raises(DataError, match="found 77 at row 0"):
        loaded(ade, workers=1)
    with pytest.raises(ConfigError, match="at least one batch of 4 images"):
        loaded(ade, batch_size=4)
    split = open_split(ade, "val")
    with pytest.raises(ConfigError, match="expected an order of 3 images, found 9"):
        create_train_loader(split, create_train_transform(SCALING, crop=32), TrainOrder(9, 0, 1))
