import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lsbench.core.errors import ConfigError, DataError
from lsbench.data.dataset import ImageFolders
from lsbench.data.loading.augment import Augment
from lsbench.data.loading.image_list import ImageList, list_images
from lsbench.data.loading.loader import create_eval_loader, create_train_loader
from lsbench.data.loading.preprocessing import Preprocessing
from lsbench.data.loading.sample_rng import derive_seed, seeded_rng
from lsbench.data.loading.transforms import create_train_transform

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


def digest(batches):
    found = hashlib.sha256()
    for images, targets in batches:
        found.update(images.numpy().tobytes())
        found.update(targets.numpy().tobytes())
    return found.hexdigest()[:16]


@pytest.mark.parametrize(
    ("in_memory", "first", "seventh", "evaluation"),
    [
        (False, "dee3fcc0ed7779da", "9e10ab2fd7d17c90", "711e095c623c4c3d"),
        (True, "3fca40cd8399a809", "184b89034e3c1600", "ed5c2ffa389e2f5d"),
    ],
)
def test_plain_batches_are_those_of_the_first_release(tmp_path, in_memory, first, seventh, evaluation):
    """Made before repeats, chunks and ranks: results of then stay valid."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for wnid in ("n1", "n2", "n3"):
            (tmp_path / split / wnid).mkdir(parents=True)
            for i in range(4):
                pixels = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / wnid / f"{i}.png")
    folders = ImageFolders(tmp_path, {s: tmp_path / s for s in ("train", "val")}, ("n1", "n2", "n3"))
    loader = train(folders, in_memory=in_memory, augment=Augment(crop_padding=2), seed=3)
    assert digest(epoch(loader, 0)) == first
    assert digest(epoch(loader, 7)) == seventh
    whole = None if in_memory else Preprocessing(16, folders.mean, folders.std, crop_pct=1.0)
    found = create_eval_loader(
        folders, split="val", img_size=16, batch_size=5, in_memory=in_memory, preprocessing=whole
    )
    assert digest(found) == evaluation


def test_strong_augmentation_follows_from_seed_epoch_and_index_as_it_always_has(colours):
    images = list_images(colours, "train")
    transform = create_train_transform(colours, 16, STRONG)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(derive_seed(3, 2))).tolist()
    expected = []
    for index in order[:10]:
        with seeded_rng(derive_seed(3, 2, index), restore=True):
            expected.append(transform(images.decode(index)))
    found = torch.cat([pixels for pixels, _ in epoch(train(colours, seed=3), 2)])
    assert torch.equal(found, torch.stack(expected))


PATHS = [(False, STRONG), (True, Augment(crop_padding=2))]


@pytest.mark.parametrize(("in_memory", "augment"), PATHS)
def test_ranks_share_an_update_in_strided_chunks(colours, in_memory, augment):
    settings = {"in_memory": in_memory, "augment": augment, "repeats": 3}
    whole = epoch(train(colours, batch_size=4, **settings), 1)
    shares = [
        epoch(train(colours, batch_size=4, chunks=4, rank=rank, world_size=2, **settings), 1)
        for rank in (0, 1)
    ]
    assert len(whole) == 3
    for update, (images, targets) in enumerate(whole):
        for k in range(4):
            pixels, labels = shares[k % 2][2 * update + k // 2]
            assert torch.equal(pixels, images[k::4])
            assert torch.equal(labels, targets[k::4])


@pytest.mark.parametrize(("in_memory", "augment"), PATHS)
def test_an_epoch_goes_on_in_its_middle_without_reading_what_came_before(
    colours, monkeypatch, in_memory, augment
):
    settings = {"in_memory": in_memory, "augment": augment, "repeats": 3, "batch_size": 4, "chunks": 2}
    unbroken = epoch(train(colours, **settings), 1)
    resumed = train(colours, **settings)
    decoded = []
    decode = ImageList.decode
    monkeypatch.setattr(ImageList, "decode", lambda self, i: decoded.append(i) or decode(self, i))
    resumed.set_epoch(1, start_update=2)
    assert same(list(resumed), unbroken[4:])
    assert len(resumed) == 3
    assert len(decoded) == (0 if in_memory else 4)
    resumed.set_epoch(1)
    assert same(list(resumed), unbroken)


@pytest.mark.parametrize(("in_memory", "augment"), PATHS)
def test_the_three_copies_of_an_image_differ(colours, in_memory, augment):
    loader = train(colours, in_memory=in_memory, augment=augment, repeats=3, batch_size=12)
    differing = 0
    for images, targets in epoch(loader, 0):
        for first in range(0, 12, 3):
            assert len(set(targets[first : first + 3].tolist())) == 1
            differing += len({pixels.numpy().tobytes() for pixels in images[first : first + 3]}) == 3
    assert differing >= 3


def break_images(folders, split, *names):
    for name in names:
        (folders.split(split) / name).write_bytes(b"no image")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_unreadable_images_are_replaced_named_and_counted(colours, num_workers):
    break_images(colours, "train", "n1/3.png", "n2/0.png")
    loader = train(colours, num_workers=num_workers, max_unreadable=2, batch_size=12)
    assert loader.unreadable == ()
    ((images, targets),) = epoch(loader, 0)
    assert loader.unreadable == ("n1/3.png", "n2/0.png")
    assert targets.bincount().tolist() == [3, 5, 4]
    assert same([(images, targets)], epoch(train(colours, max_unreadable=9, batch_size=12), 0))
    epoch(loader, 1)
    break_images(colours, "train", "n3/1.png")
    with pytest.raises(DataError, match=r"^expected at most 2 unreadable .* found 3, .*n3/1\.png, found"):
        epoch(loader, 2)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_without_a_budget_and_in_evaluation_the_first_unreadable_image_fails(colours, num_workers):
    for split in ("train", "val"):
        break_images(colours, split, "n2/1.png")
    one_line = r"^expected a readable image at .*n2/1\.png, found: .*; replace the file$"
    with pytest.raises(DataError, match=one_line):
        epoch(train(colours, num_workers=num_workers, batch_size=12), 0)
    loader = create_eval_loader(
        colours, split="val", img_size=16, batch_size=5, in_memory=False, num_workers=num_workers
    )
    with pytest.raises(DataError, match=one_line):
        list(loader)
    with pytest.raises(DataError, match=one_line):
        create_eval_loader(colours, split="val", img_size=16, batch_size=5, in_memory=True)


def test_nothing_but_unreadable_images_fails_within_any_budget(colours):
    break_images(colours, "train", *list_images(colours, "train").paths)
    with pytest.raises(DataError, match="expected readable images, found none"):
        epoch(train(colours, max_unreadable=50), 0)


@pytest.mark.parametrize("in_memory", [False, True])
def test_ranks_evaluate_every_image_once(colours, in_memory):
    settings = {"split": "val", "img_size": 16, "batch_size": 5, "in_memory": in_memory}
    whole = create_eval_loader(colours, **settings)
    shares = [create_eval_loader(colours, **settings, rank=rank, world_size=2) for rank in (0, 1)]
    assert [len(share) for share in shares] == [2, 1]
    assert {share.paths for share in shares} == {whole.paths}
    batches = [list(share) for share in shares]
    assert same([batches[0][0], batches[1][0], batches[0][1]], list(whole))


@pytest.mark.parametrize("in_memory", [True, False])
def test_images_with_several_answers_come_with_all_of_them(colours, in_memory):
    several = replace(colours, answers=lambda path: (2, 0) if path.endswith("0.png") else (1,))
    loader = create_eval_loader(several, split="val", img_size=8, batch_size=3, in_memory=in_memory)
    labels = torch.cat([labels for _, labels in loader])
    assert labels.tolist() == [[2, 0] if i % 4 == 0 else [1, -1] for i in range(12)]
