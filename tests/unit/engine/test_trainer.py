import math

import pytest
import torch
from torch import nn

from lsbench.engine import checkpoint
from lsbench.engine.recipe import Recipe
from lsbench.engine.trainer import Trainer


class Batches:
    """Four batches of an epoch, a function of the epoch alone."""

    def __init__(self, steps=4):
        self.steps, self.epoch, self.given = steps, 0, []

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return self.steps

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.epoch)
        for step in range(self.steps):
            self.given.append((self.epoch, step))
            images = torch.randn(8, 1, 4, 4, generator=generator)
            yield images, (images.mean((1, 2, 3)) > 0).long()


def create(folder, *, limit=None, steps=4, **settings):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(16, 2))
    recipe = Recipe(**{"epochs": 3, "lr": 0.05, "min_lr": 1e-4, "warmup_epochs": 1, **settings})
    return Trainer(model, recipe, Batches(steps), folder=folder, seed=7, limit=limit)


def train(trainer, emit=lambda event: None):
    rates = []
    trainer.optimizer.register_step_pre_hook(
        lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"])
    )
    return trainer.run(emit, lambda model: {"val_top1": 0.5}), rates


def test_the_rate_warms_up_then_follows_half_a_cosine(tmp_path):
    progress, rates = train(create(tmp_path))
    warm, rest = rates[:4], rates[4:]
    assert warm == pytest.approx([1e-6 + (0.05 - 1e-6) * step / 4 for step in range(4)])
    expected = [1e-4 + (0.05 - 1e-4) * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    assert rest == pytest.approx(expected)
    assert progress.history[-1]["lr"] == rates[-1]


def test_the_loss_falls_and_history_holds_every_epoch(tmp_path):
    progress, _ = train(create(tmp_path, epochs=12))
    losses = [entry["loss"] for entry in progress.history]
    assert len(losses) == progress.epoch == 12
    assert losses[-1] < losses[0]
    assert all(entry["val_top1"] == 0.5 for entry in progress.history)


@pytest.mark.parametrize(
    ("limit", "steps"),
    [(1, 1), (2, 2), (3, 3), (5, 5), (8, 8), (12, 12), (99, 12), (None, 12)],
)
def test_a_limit_is_the_number_of_steps_in_all(limit, steps, tmp_path):
    trainer = create(tmp_path, limit=limit)
    progress, rates = train(trainer)
    assert len(rates) == steps
    assert "val_top1" in progress.history[-1]
    assert all(math.isfinite(entry["loss"]) for entry in progress.history)


def test_biases_and_one_dimensional_parameters_do_not_decay(tmp_path):
    groups = create(tmp_path, weight_decay=0.3).optimizer.param_groups
    decay = {parameter.ndim: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert decay == {2: 0.3, 1: 0.0}


class StopError(Exception):
    """The process dies."""


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_continued_training_equals_an_unbroken_one(stop_after, tmp_path):
    unbroken, _ = train(first := create(tmp_path / "a"))

    def stop(event):
        if event["ev"] == "epoch" and event["epoch"] == stop_after:
            raise StopError

    with pytest.raises(StopError):
        train(create(tmp_path / "b"), stop)
    torch.manual_seed(99)
    again = create(tmp_path / "b")
    assert again.progress.epoch == stop_after
    continued, _ = train(again)
    assert all(
        torch.equal(value, again.model.state_dict()[name]) for name, value in first.model.state_dict().items()
    )
    assert [e["loss"] for e in continued.history] == [e["loss"] for e in unbroken.history]
    saved = checkpoint.load(tmp_path / "b" / checkpoint.WEIGHTS)
    assert checkpoint.weights_sha256(saved) == checkpoint.weights_sha256(first.model.state_dict())


def test_validation_happens_when_the_recipe_says(tmp_path):
    progress, _ = train(create(tmp_path, epochs=3, validate_every=2))
    assert ["val_top1" in entry for entry in progress.history] == [False, True, True]


def test_a_loss_that_is_no_number_stops_the_training(tmp_path):
    trainer = create(tmp_path)
    with torch.no_grad():
        trainer.model[2].weight.fill_(float("nan"))
    with pytest.raises(ArithmeticError, match="the training loss is nan in epoch 1; lower `lr`"):
        train(trainer)
    assert not (tmp_path / checkpoint.LAST).exists()
