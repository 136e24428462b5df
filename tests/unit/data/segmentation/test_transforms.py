import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from lsbench.data.loading.keep_ratio import Scaling
from lsbench.data.segmentation.transforms import (
    AlignedResize,
    CropOfSeveralClasses,
    PadToSquare,
    PhotometricDistortion,
    RandomKeepRatioResize,
    create_eval_transform,
    create_train_transform,
    saturated,
)

PLAIN = Scaling(64, 128, (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))


def pair(height, width, labels=None):
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, height, width), generator=generator).to(torch.uint8)
    made = torch.zeros((height, width), dtype=torch.uint8) if labels is None else labels
    return tv_tensors.Image(image), tv_tensors.Mask(made)


def halves(height, width):
    labels = torch.zeros((height, width), dtype=torch.uint8)
    labels[:, width // 2 :] = 1
    return labels


def test_training_images_have_the_size_of_the_crop_and_labels_only_classes():
    transform = create_train_transform(PLAIN, crop=48)
    torch.manual_seed(0)
    sizes = set()
    for _ in range(20):
        image, labels = transform(*pair(40, 60, halves(40, 60)))
        assert (image.shape, image.dtype) == ((3, 48, 48), torch.float32)
        assert (labels.shape, labels.dtype) == ((48, 48), torch.uint8)
        assert set(labels.unique().tolist()) <= {0, 1, 255}
        sizes.add(int((labels != 255).sum()))
        outside = labels == 255
        assert not image[:, outside].any(), "zeros after the normalisation"
    assert len(sizes) > 3, "a factor below 0.75 leaves less than the crop"


def test_the_factor_is_uniform_and_applies_to_both_bounds():
    torch.manual_seed(0)
    resize = RandomKeepRatioResize(PLAIN, (0.5, 2.0))
    heights = [resize(*pair(50, 60))[0].shape[1] for _ in range(400)]
    assert 32 <= min(heights) < 36
    assert 122 < max(heights) <= 128
    assert np.mean(heights) == pytest.approx(64 * 1.25, rel=0.05)


def test_a_crop_is_drawn_up_to_eleven_times_while_one_class_fills_it():
    labels = torch.zeros((20, 200), dtype=torch.uint8)
    labels[:, 190:] = 1
    crop = CropOfSeveralClasses(20, 0.75)
    torch.manual_seed(0)
    found = [crop(*pair(20, 200, labels))[1].as_subclass(torch.Tensor) for _ in range(400)]
    chance = 5 / 181  # places where class 1 has at least six of twenty columns
    assert np.mean([crop._is_mixed(one) for one in found]) == pytest.approx(1 - (1 - chance) ** 11, abs=0.06)


def test_ignored_pixels_do_not_count_as_a_class_in_a_crop():
    labels = torch.zeros((20, 20), dtype=torch.uint8)
    labels[:10] = 255
    crop = CropOfSeveralClasses(20, 0.75)
    assert not crop._is_mixed(labels)
    labels[10:15] = 1
    assert crop._is_mixed(labels)


def test_a_crop_keeps_what_is_smaller():
    image, labels = CropOfSeveralClasses(30, 0.75)(*pair(20, 50))
    assert image.shape == (3, 20, 30)
    assert labels.shape == (20, 30)


def test_padding_is_zero_in_images_and_255_in_labels():
    image, labels = pair(3, 4)
    padded, beside = PadToSquare(6)(image.as_subclass(torch.Tensor).float() + 1, labels)
    assert padded.shape == (3, 6, 6)
    assert not padded[:, 3:].any()
    assert not padded[:, :, 4:].any()
    assert (beside == 255).sum() == 36 - 12
    assert (beside[:3, :4] == 0).all()


def test_test_images_are_resized_twice_and_not_padded():
    image = create_eval_transform(PLAIN)(pair(50, 70)[0])
    assert image.shape == (3, 64, 96), "64 x 90 in proportion, then up to multiples of 32"
    assert AlignedResize()(pair(64, 96)[0]).shape == (3, 64, 96)
    assert image[:, :, -1].any()


def test_distortion_changes_images_and_keeps_labels():
    image, labels = pair(8, 8, halves(8, 8))
    torch.manual_seed(1)
    changed = [PhotometricDistortion()(image, labels) for _ in range(30)]
    assert all(one.dtype == torch.uint8 and isinstance(one, tv_tensors.Image) for one, _ in changed)
    assert all(torch.equal(other, labels) for _, other in changed)
    assert 0 < sum(torch.equal(one, image) for one, _ in changed) < 15, "now and then nothing is drawn"
    assert len({one.float().mean().item() for one, _ in changed}) > 15


def test_saturation_is_that_of_hsv():
    import colorsys

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 5, 5)).astype(np.float32)
    found = saturated(torch.from_numpy(pixels), 1.4).numpy()
    for row in range(5):
        for column in range(5):
            hue, saturation, value = colorsys.rgb_to_hsv(*pixels[:, row, column] / 255)
            expected = np.array(colorsys.hsv_to_rgb(hue, min(saturation * 1.4, 1), value)) * 255
            assert found[:, row, column] == pytest.approx(expected, abs=1e-3)
    grey = torch.full((3, 2, 2), 90.0)
    assert torch.equal(saturated(grey, 1.5), grey)
