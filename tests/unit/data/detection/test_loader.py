import numpy as np
import pytest
import torch
from PIL import Image

from lsbench.core.errors import ConfigError, DataError
from lsbench.data.detection.loader import create_eval_loader, create_train_loader
from lsbench.data.detection.order import GroupedOrder
from lsbench.data.detection.samples import open_split
from lsbench.data.loading.keep_ratio import Scaling

SCALING = Scaling(64, 100, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


@pytest.fixture
def split(coco):
    return open_split(coco(), "val", with_masks=True, for_training=True)


def loaded(split, *, workers=0, epoch=0, start=0, **options):
    order = GroupedOrder(split.is_wide(), seed=0, batch_size=2, group_size=1, **options)
    loader = create_train_loader(split, SCALING, order, num_workers=workers)
    loader.set_epoch(epoch, start)
    return [
        (images, [(one["boxes"], one["masks"], one["image_size"]) for one in targets])
        for images, targets in loader
    ]


def equal(one, other):
    pairs = zip(one, other, strict=True)
    return all(
        torch.equal(a[0], b[0])
        and all(torch.equal(x[0], y[0]) and torch.equal(x[1], y[1]) for x, y in zip(a[1], b[1], strict=True))
        for a, b in pairs
    )


def test_batches_are_padded_with_zeros_after_normalisation(split):
    images, targets = loaded(split)[0]
    assert images.shape[2] % 32 == images.shape[3] % 32 == 0
    for image, (boxes, masks, (height, width)) in zip(images, targets, strict=True):
        assert not image[:, height:].any()
        assert not image[:, :, width:].any()
        assert image[:, height - 1, width - 1].any()
        assert (boxes[:, 2] <= width).all()
        assert (boxes[:, 3] <= height).all()
        assert masks.shape[1:] == (-(-height // 32) * 32, -(-width // 32) * 32)
        assert not masks[:, height:].any()


def test_samples_depend_on_seed_epoch_and_index_alone(split):
    first = loaded(split)
    torch.manual_seed(9)
    assert equal(first, loaded(split)), "the streams of the process do not matter, and are left alone"
    assert equal(first, loaded(split, workers=2))
    assert equal(first[1:], loaded(split, start=1))
    assert not equal(first, loaded(split, epoch=1))
    before = torch.get_rng_state()
    loaded(split)
    assert torch.equal(before, torch.get_rng_state())


def test_chunks_of_two_ranks_are_those_of_one(split):
    whole = loaded(split)
    halves = [loaded(split, chunks=2, rank=rank, world_size=2) for rank in (0, 1)]
    for (_, targets), left, right in zip(whole, *halves, strict=True):
        assert [one[2] for one in targets] == [one[2] for one in (*left[1], *right[1])]


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_a_test_image_is_padded_as_it_is_alone(coco, batch_size):
    split = open_split(coco(), "val", with_masks=False, for_training=False)
    loader = create_eval_loader(split, SCALING, batch_size=batch_size)
    seen = {}
    for batch in loader:
        for row, index in enumerate(batch.indices):
            seen[index] = (batch.images[row], batch.image_sizes[row], batch.original_sizes[row])
    assert sorted(seen) == [0, 1, 2, 3]
    assert loader.paths == split.paths
    for index, (image, size, original) in seen.items():
        assert original == split.size(index)
        assert size == SCALING.size(original)
        assert image.shape[1:] == tuple(-(-side // 32) * 32 for side in size)
    assert seen[3][1] == (22, 100), "the longer side is bounded"
    if batch_size > 1:
        alone = {batch.indices[0]: batch.images[0] for batch in create_eval_loader(split, SCALING)}
        assert all(torch.equal(alone[index], image) for index, (image, _, _) in seen.items())


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_one_line_from_any_process(coco, workers):
    data = coco()
    (data.images["val"] / "000000000007.png").write_bytes(b"nothing")
    split = open_split(data, "val", with_masks=False, for_training=False)
    with pytest.raises(DataError, match=r"^expected a readable image at [^\n]*7.png, found: cannot[^\n]*$"):
        list(create_eval_loader(split, SCALING, num_workers=workers))
    Image.fromarray(np.zeros((3, 3, 3), np.uint8)).save(data.images["val"] / "000000000007.png")
    with pytest.raises(DataError, match="found 3 x 3"):
        list(create_eval_loader(split, SCALING, num_workers=workers))


def test_an_order_of_other_images_is_refused(split):
    order = GroupedOrder(np.array([True]), seed=0, batch_size=2)
    with pytest.raises(ConfigError, match="expected an order of 2 images, found 1"):
        create_train_loader(split, SCALING, order)
