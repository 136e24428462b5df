import math
from functools import partial

import pytest
import torch
from torch import nn

from lsbench.metrics._attack import EPSILON, attack

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.GELU(), nn.Flatten(), nn.Linear(8 * 36, 5)).eval()


@pytest.fixture
def images():
    """Normalised images in which a third of the pixels are black or white."""
    pixels = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 1.5 - 0.25
    return normalised(pixels.clamp(0, 1))


TARGETS = torch.tensor([0, 1, 2, 3, 4, 0])


def normalised(pixels):
    return (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def pixels_of(images):
    return images * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)


def loss_of(model, images, targets=TARGETS):
    return nn.functional.cross_entropy(model(images), targets, reduction="none")


fgsm = partial(attack, mean=MEAN, std=STD, steps=1, step_size=EPSILON, is_start_random=False)
pgd = partial(attack, mean=MEAN, std=STD, steps=5, step_size=0.5 / 255, is_start_random=True)


def test_fgsm_is_one_step_in_pixel_space_in_the_direction_of_the_gradient(model, images):
    pixels = pixels_of(images).requires_grad_()
    loss_of(model, normalised(pixels)).sum().backward()
    expected = (pixels + torch.sign(pixels.grad) / 255).clamp(0, 1).detach()
    torch.testing.assert_close(pixels_of(fgsm(model, images, TARGETS)), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("one", [fgsm, pgd])
def test_no_pixel_leaves_the_bound_or_its_range_and_the_loss_rises(model, images, one):
    moved = one(model, images, TARGETS)
    change = pixels_of(moved) - pixels_of(images)
    assert change.abs().max() <= 1 / 255 + 1e-6
    assert change.abs().max() >= 1 / 255 - 1e-6
    assert pixels_of(moved).min() >= -1e-6
    assert pixels_of(moved).max() <= 1 + 1e-6
    assert (loss_of(model, moved) > loss_of(model, images)).all()
    assert not moved.requires_grad


def test_pgd_is_the_loop_written_in_pixel_space(model, images):
    clean = pixels_of(images)
    start = partial(attack, mean=MEAN, std=STD, step_size=0.0, is_start_random=True)
    moved = pixels_of(start(model, images, TARGETS, steps=0))
    assert 0.3 / 255 < (moved - clean).abs().mean() < 0.5 / 255, "uniform, but for what is cut off"
    for _ in range(5):
        leaf = moved.clone().requires_grad_()
        loss_of(model, normalised(leaf)).sum().backward()
        moved = moved + 0.5 / 255 * leaf.grad.sign()
        moved = torch.minimum(torch.maximum(moved, clean - 1 / 255), clean + 1 / 255).clamp(0, 1)
    torch.testing.assert_close(pixels_of(pgd(model, images, TARGETS)), moved, atol=2e-5, rtol=0)


def test_the_random_start_depends_on_nothing_but_the_image(model, images):
    torch.manual_seed(1)
    together = pgd(model, images, TARGETS)
    torch.manual_seed(2)
    order = torch.tensor([4, 0, 2])
    apart = pgd(model, images.to(memory_format=torch.channels_last)[order], TARGETS[order])
    torch.testing.assert_close(apart, together[order], atol=1e-5, rtol=0)
    noise = (
        attack(model, images, TARGETS, mean=MEAN, std=STD, steps=0, step_size=0.0, is_start_random=True)
        - images
    )
    assert not torch.equal(noise[0], noise[1])


def test_the_model_is_left_without_gradients(model, images):
    pgd(model, images, TARGETS)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert math.isclose(EPSILON, 1 / 255)
