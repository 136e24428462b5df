import json
from pathlib import Path

import pytest
import torch
from torch import nn

from lsbench.engine.named_recipes import NAMED_RECIPES
from lsbench.engine.rates import LinearRise, Poly, Steps
from lsbench.engine.recipe import Recipe
from lsbench.engine.schedule import Schedule
from lsbench.engine.training_spec import TrainingSpec

#: Epoch (from 1) -> learning rate in the authors' training logs of LSNet-T on ImageNet-1K.
LOGGED = json.loads((Path(__file__).parent / "data" / "logged_lr.json").read_text())


class Own(TrainingSpec):
    """Settings of a task with another schedule."""

    lr_falls: Steps | Poly
    rises: LinearRise | None = None

    @property
    def rate_schedule(self):
        return self.lr_falls

    @property
    def warm_up(self):
        return self.rises


def schedule(steps=3, total=None, **settings):
    return schedule_of(Recipe(**settings), steps, total)


def schedule_of(recipe, steps, total=None):
    optimizer = torch.optim.AdamW(nn.Linear(1, 1).parameters(), lr=recipe.peak_lr)
    return Schedule(optimizer, recipe, steps=steps, total=total or recipe.epochs * steps)


def test_the_papers_recipe_has_the_rates_of_the_authors_logs():
    found = schedule(**NAMED_RECIPES["lsnet_300e"])
    for epoch, logged in LOGGED.items():
        for step in range(3):
            rate = found.set_rate((int(epoch) - 1) * 3 + step)
            assert rate == pytest.approx(logged, rel=1e-9, abs=1e-15)
    assert LOGGED["1"] == LOGGED["2"] == pytest.approx(1e-6)
    assert len(LOGGED) == 12


@pytest.mark.parametrize(("epochs", "last"), [(300, 1.0437536e-5), (100, 1.3936e-5)])
def test_the_last_epoch_is_one_late_too(epochs, last):
    found = schedule(**NAMED_RECIPES[f"lsnet_{epochs}e"])
    assert found.set_rate(3 * epochs - 1) == pytest.approx(last, rel=1e-4)


def test_by_epoch_and_not_late_the_peak_follows_the_warm_up():
    found = schedule(epochs=10, lr_step="epoch", warmup_epochs=2, lr=0.1, warmup_lr=0.0, min_lr=0.0)
    rates = [found.set_rate(3 * epoch) for epoch in range(4)]
    cosine = [0.05 * (1 + torch.cos(torch.tensor(torch.pi * t / 10)).item()) for t in (2, 3)]
    assert rates == pytest.approx([0.0, 0.05, *cosine], abs=1e-6)


def test_the_rate_scales_with_the_batch():
    assert schedule(lr=4e-3, lr_reference_batch=2048, batch_size=512, warmup_epochs=0).set_rate(0) == 1e-3


def test_a_scale_lowers_the_rate_and_is_not_remembered():
    found = schedule(epochs=4, warmup_epochs=0, lr=0.1)
    assert found.set_rate(0, scale=0.5) == pytest.approx(0.05)
    assert found.set_rate(0) == pytest.approx(0.1)


def test_detections_rate_of_every_update_is_that_of_mmdetection():
    steps = 7329  # updates per epoch of COCO with batches of 16
    recipe = Own(lr=1e-4, epochs=12, lr_falls=Steps(epochs=(8, 11)), rises=LinearRise(updates=500))
    found = schedule_of(recipe, steps)
    for update in (0, 1, 250, 499, 500, steps, 8 * steps - 1, 8 * steps, 11 * steps - 1, 11 * steps):
        plain = 1e-4 * 0.1 ** sum(update // steps >= epoch for epoch in (8, 11))
        risen = 1 - (1 - update / 500) * (1 - 0.001) if update < 500 else 1
        assert found.set_rate(update) == pytest.approx(plain * risen, rel=1e-12)


def test_segmentations_rate_falls_by_poly_over_the_whole_training():
    recipe = Own(lr=2e-4, lr_falls=Poly(power=0.9, min_lr=1e-6))
    found = schedule_of(recipe, 631, total=40_000)
    for update in (0, 1, 20_000, 39_999):
        expected = (2e-4 - 1e-6) * (1 - update / 40_000) ** 0.9 + 1e-6
        assert found.set_rate(update) == pytest.approx(expected, rel=1e-12)
        assert found.set_rate(update, scale=0.5) == pytest.approx(expected / 2, rel=1e-12)
