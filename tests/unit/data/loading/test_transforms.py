import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms as tv

from lsbench.core.errors import ConfigError
from lsbench.data.dataset import IMAGENET_MEAN, IMAGENET_STD
from lsbench.data.loading.augment import Augment
from lsbench.data.loading.preprocessing import Preprocessing
from lsbench.data.loading.sample_rng import seeded_rng
from lsbench.data.loading.train_order import TrainOrder
from lsbench.data.loading.transforms import (
    EpochPlan,
    check_in_memory,
    create_eval_transform,
    create_train_transform,
    normalise,
    shift_and_flip,
)


@pytest.fixture(scope="module")
def photo():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8))


def test_evaluation_is_the_usual_resize_and_centre_crop(colours, photo):
    usual = tv.Compose(
        [
            tv.Resize(64, tv.InterpolationMode.BICUBIC),
            tv.CenterCrop(56),
            tv.ToTensor(),
            tv.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    torch.testing.assert_close(create_eval_transform(Preprocessing.of_data(colours, 56))(photo), usual(photo))


@pytest.mark.parametrize(
    "augment",
    [
        Augment(crop_padding=4),
        Augment(random_resized_crop=True, auto_augment="rand-m9-mstd0.5-inc1", erase=0.25),
    ],
)
def test_training_varies_with_the_seed_only(colours, photo, augment):
    transform = create_train_transform(colours, 32, augment)
    drawn = []
    for seed in (1, 1, 2, 3):
        with seeded_rng(seed, restore=True):
            drawn.append(transform(photo))
    assert drawn[0].shape == (3, 32, 32)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2]) or not torch.equal(drawn[0], drawn[3])


def test_without_augmentation_training_sees_the_resized_image(colours, photo):
    plain = create_train_transform(colours, 32, Augment(flip=0.0))(photo)
    resized = photo.resize((32, 32), Image.Resampling.BICUBIC)
    usual = tv.Compose([tv.ToTensor(), tv.Normalize(IMAGENET_MEAN, IMAGENET_STD)])
    torch.testing.assert_close(plain, usual(resized))


def test_contradicting_or_unsupported_settings_are_refused(colours):
    with pytest.raises(ConfigError, match="found both"):
        create_train_transform(colours, 32, Augment(random_resized_crop=True, crop_padding=4))
    with pytest.raises(ConfigError, match=r"found random_resized_crop, auto_augment, erase"):
        check_in_memory(Augment(random_resized_crop=True, auto_augment="rand-m9", erase=0.1))
    check_in_memory(Augment(crop_padding=4))


@pytest.mark.parametrize("padding", [0, 3])
def test_the_gather_equals_padding_cropping_and_flipping(padding):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (16, 3, 8, 10), generator=generator, dtype=torch.uint8)
    shift = torch.randint(2 * padding + 1, (16, 2), generator=generator)
    is_flipped = torch.rand(16, generator=generator) < 0.5
    found = shift_and_flip(images, is_flipped, shift, padding)
    for i in range(16):
        top, left = shift[i].tolist()
        padded = torch.nn.functional.pad(images[i], (padding,) * 4)
        expected = padded[:, top : top + 8, left : left + 10]
        assert torch.equal(found[i], expected.flip(2) if is_flipped[i] else expected)


def test_normalising_equals_torchvision_and_repeats_grey():
    images = torch.randint(256, (2, 3, 4, 4), dtype=torch.uint8)
    usual = tv.Normalize(IMAGENET_MEAN, IMAGENET_STD)(images.float() / 255)
    torch.testing.assert_close(normalise(images, IMAGENET_MEAN, IMAGENET_STD), usual)
    assert normalise(images[:, :1], IMAGENET_MEAN, IMAGENET_STD).shape == (2, 3, 4, 4)


def test_a_plan_follows_from_its_seed():
    augment = Augment(crop_padding=2)
    first, again, other = (EpochPlan.draw(TrainOrder(100, seed, 5), augment, 0) for seed in (1, 1, 2))
    assert torch.equal(first.order, again.order)
    assert torch.equal(first.shift, again.shift)
    assert not torch.equal(first.order, other.order)
    assert sorted(first.order.tolist()) == list(range(100))
    assert 30 < first.is_flipped.sum() < 70
    assert first.shift.min() == 0
    assert first.shift.max() == 4


def test_copies_are_shifted_and_flipped_on_their_own():
    plan = EpochPlan.draw(TrainOrder(300, 0, 5, repeats=3), Augment(crop_padding=2), 0)
    assert plan.order.shape == (256,)
    assert plan.shift.shape == (256, 2)
    trios = plan.shift[:255].view(85, 3, 2)
    assert (trios[:, 0] != trios[:, 1]).any(dim=1).sum() > 60
    assert (trios[:, 1] != trios[:, 2]).any(dim=1).sum() > 60
    flips = plan.is_flipped[:255].view(85, 3)
    assert 10 < (flips[:, 0] != flips[:, 1]).sum() < 75


def test_posterizing_to_no_bit_gives_black(colours, photo):
    transform = create_train_transform(colours, 32, Augment(auto_augment="rand-m9-mstd0.5-inc1"))
    ops = [op for step in transform.transforms for op in getattr(step, "ops", ())]
    posterize = next(op for op in ops if "Posterize" in op.name)

    assert not np.asarray(posterize.aug_fn(photo, 0)).any()
    assert np.asarray(posterize.aug_fn(photo, 4)).any()
    assert set(np.unique(np.asarray(posterize.aug_fn(photo, 1)))) <= {0, 128}
