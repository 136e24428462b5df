import math
import random
import signal

import numpy as np
import pytest
import torch
from timm.utils import ModelEmaV3
from timm.utils.agc import adaptive_clip_grad
from torch import nn

from lsbench.core.errors import DataError, DivergedError, PreemptedError
from lsbench.core.stopping import heeding_stop
from lsbench.engine import weights
from lsbench.engine.checkpoints import Checkpoints, checkpoints_of
from lsbench.engine.objective import Objective
from lsbench.engine.rates import Poly
from lsbench.engine.recipe import Recipe
from lsbench.engine.trainer import Trainer
from lsbench.engine.training_spec import TrainingSpec


class Batches:
    """Chunks of the batches of an epoch, a function of the epoch alone."""

    def __init__(self, steps=4, chunks=1, size=8):
        self.steps, self.chunks, self.size = steps, chunks, size
        self.epoch, self.start, self.given = 0, 0, []

    def set_epoch(self, epoch, start_update=0):
        self.epoch, self.start = epoch, start_update

    def __len__(self):
        return self.steps

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.epoch)
        for step in range(self.steps):
            images = torch.randn(self.size, 1, 4, 4, generator=generator)
            if step < self.start:
                continue
            self.given.append((self.epoch, step))
            targets = (images.mean((1, 2, 3)) > 0).long()
            for chunk in range(self.chunks):
                yield images[chunk :: self.chunks].clone(), targets[chunk :: self.chunks]


def create_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(16, 2))


def create(folder, *, limit=None, steps=4, model=None, loader=None, **settings):
    recipe = Recipe(
        **{"epochs": 3, "batch_size": 8, "lr": 0.05, "min_lr": 1e-4, "warmup_epochs": 1, **settings}
    )
    return Trainer(
        create_net() if model is None else model,
        recipe,
        loader or Batches(steps, recipe.chunks(1)),
        checkpoints_of(folder),
        Objective(recipe, num_classes=2),
        seed=7,
        limit=limit,
    )


def train(trainer, emit=lambda event: None):
    rates = []
    trainer.state.optimizer.register_step_pre_hook(lambda opt, *_: rates.append(opt.param_groups[0]["lr"]))
    return trainer.run(emit, lambda model: {"val_top1": 0.5}), rates


def same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_the_rate_warms_up_then_follows_half_a_cosine(tmp_path):
    progress, rates = train(create(tmp_path))
    warm, rest = rates[:4], rates[4:]
    assert warm == pytest.approx([1e-6 + (0.05 - 1e-6) * step / 4 for step in range(4)])
    expected = [1e-4 + (0.05 - 1e-4) * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    assert rest == pytest.approx(expected)
    assert progress.history[-1]["lr"] == rates[-1]


def test_the_loss_falls_and_history_holds_every_epoch(tmp_path):
    progress, _ = train(create(tmp_path, epochs=12))
    assert len(progress.history) == progress.epoch == 12
    assert progress.history[-1]["loss"] < progress.history[0]["loss"]
    assert all(entry["val_top1"] == 0.5 for entry in progress.history)
    assert all(0 <= entry["data_wait_frac"] <= 1 for entry in progress.history)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8, 12, 99, None])
def test_a_limit_is_the_number_of_updates_in_all(limit, tmp_path):
    progress, rates = train(create(tmp_path, limit=limit))
    assert len(rates) == min(limit or 12, 12)
    assert "val_top1" in progress.history[-1]
    assert all(math.isfinite(entry["loss"]) for entry in progress.history)


def test_a_split_of_less_than_a_batch_is_refused(tmp_path):
    with pytest.raises(DataError, match="less than one batch of 8 images"):
        create(tmp_path, steps=0)


class StopError(Exception):
    """The process dies."""


FULL = {"mixup": 0.8, "cutmix": 1.0, "ema_decay": 0.9, "clip": {"mode": "agc", "value": 0.02}}


@pytest.mark.parametrize("settings", [{}, {**FULL, "device_batch_size": 4}], ids=["plain", "full"])
@pytest.mark.parametrize("stop_at", [1, 2, 3, 4, 5, 7, 9, 11])
def test_a_training_stopped_at_any_update_and_continued_equals_an_unbroken_one(stop_at, settings, tmp_path):
    unbroken, _ = train(first := create(tmp_path / "a", checkpoint_minutes=0, **settings))
    train_until(create(tmp_path / "b", checkpoint_minutes=0, **settings), stop_at)
    for stream in (random.seed, np.random.seed, torch.manual_seed):
        stream(99)
    again = create(tmp_path / "b", checkpoint_minutes=0, **settings)
    assert again.progress.update == stop_at
    continued, rates = train(again)
    assert len(rates) == 12 - stop_at, "no update is made twice"
    assert_same_training(first, unbroken, again, continued)


def ask_if(is_time):
    if is_time:
        signal.raise_signal(signal.SIGTERM)


def stop_if(is_time):
    if is_time:
        raise StopError


def train_until(broken, stop_at):
    broken.state.optimizer.register_step_pre_hook(lambda *_: stop_if(broken.progress.update == stop_at))
    with pytest.raises(StopError):
        train(broken)


@pytest.mark.parametrize("settings", [{}, {**FULL, "device_batch_size": 4}], ids=["plain", "full"])
@pytest.mark.parametrize("asked_at", [1, 3, 4, 6, 8, 12])
def test_a_training_that_is_asked_to_stop_ends_its_update_and_is_continued_bit_for_bit(
    asked_at, settings, tmp_path
):
    unbroken, _ = train(first := create(tmp_path / "a", **settings))
    asked = create(tmp_path / "b", **settings)
    asked.state.optimizer.register_step_pre_hook(lambda *_: ask_if(asked.progress.update + 1 == asked_at))
    with pytest.raises(PreemptedError, match="saved"), heeding_stop():
        train(asked)
    again = create(tmp_path / "b", **settings)
    assert again.progress.update == asked_at, "nothing is lost"
    assert_same_training(first, unbroken, again, train(again)[0])


@pytest.mark.parametrize("call", [1, 2, 5])
def test_a_training_that_is_asked_to_stop_in_a_validation_ends_there(call, tmp_path):
    settings = {"ema_decay": 0.9}
    unbroken, _ = train(first := create(tmp_path / "a", **settings))
    calls = []

    def validate(model):
        calls.append("begun")
        ask_if(len(calls) == call)
        return {"val_top1": 0.5} if len(calls) != call else calls.append("never")

    asked = create(tmp_path / "b", **settings)
    with pytest.raises(PreemptedError), heeding_stop():
        asked.run(lambda event: None, validate)
    assert "never" not in calls
    again = create(tmp_path / "b", **settings)
    assert again.progress.update == 4 * ((call + 1) // 2), "the validation is repeated, no update is"
    assert len(again.progress.history) == (call - 1) // 2
    assert_same_training(first, unbroken, again, train(again)[0])


def assert_same_training(first, unbroken, again, continued):
    assert same(first.model.state_dict(), again.model.state_dict())
    assert [e["loss"] for e in continued.history] == [e["loss"] for e in unbroken.history]
    if first.state.ema is not None:
        assert same(first.state.ema.module.state_dict(), again.state.ema.module.state_dict())


def test_settings_that_a_checkpoint_holds_too_are_those_of_the_recipe(tmp_path):
    train(create(tmp_path, epochs=1))
    again = create(tmp_path, epochs=2, weight_decay=0.5, lr=0.01)
    assert {group["weight_decay"] for group in again.state.optimizer.param_groups} == {0.0, 0.5}
    assert train(again)[1][0] == pytest.approx(1e-4 + (0.01 - 1e-4) * 1)


def test_what_the_first_version_left_is_continued(tmp_path):
    train(first := create(tmp_path / "a"))
    stopped = create(tmp_path / "b")
    with pytest.raises(StopError):
        train(stopped, lambda event: stop_if(event["ev"] == "epoch"))
    old = {
        "model": stopped.model.state_dict(),
        "optimizer": stopped.state.optimizer.state_dict(),
        "epoch": 1,
        "history": stopped.progress.history,
    }
    weights.save(tmp_path / "c" / "checkpoints" / "last.pt", old)
    again = create(tmp_path / "c")
    assert (again.progress.epoch, again.progress.update) == (1, 4)
    train(again)
    assert same(first.model.state_dict(), again.model.state_dict())


def test_the_weights_are_kept_for_other_jobs(tmp_path):
    trainer = create(tmp_path, ema_decay=0.9)
    train(trainer)
    trainer.save_weights(tmp_path)
    assert same(trainer.model.state_dict(), weights.load(tmp_path / weights.WEIGHTS))
    assert same(trainer.state.ema.module.state_dict(), weights.load(tmp_path / weights.EMA))


def test_a_finished_training_keeps_its_weights_and_its_newest_checkpoint_alone(tmp_path):
    trainer = create(tmp_path)
    train(trainer)
    assert len(trainer.checkpoints.steps()) == 2
    trainer.save_weights(tmp_path)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == [f"step-{trainer.progress.update:09d}.pt", "weights.pt"]
    again, _ = train(create(tmp_path))  # its process died before the result was written
    assert again.update == trainer.progress.update


def test_more_epochs_go_on_from_the_checkpoint_of_a_finished_training(tmp_path):
    first = create(tmp_path, epochs=2)
    train(first)
    first.save_weights(tmp_path)
    longer = create(tmp_path, epochs=3)
    assert longer.progress.epoch == 2
    assert len(train(longer)[0].history) == 3


def test_validation_happens_when_the_recipe_says_and_sees_the_average_too(tmp_path):
    progress, _ = train(create(tmp_path, epochs=3, validate_every=2, ema_decay=0.9))
    assert ["val_top1" in entry for entry in progress.history] == [False, True, True]
    assert ["ema_val_top1" in entry for entry in progress.history] == [False, True, True]


def test_chunks_add_up_to_the_gradient_of_the_whole_batch(tmp_path):
    plain = {"smoothing": 0.0, "epochs": 1}
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    found = []
    for name, most in (("whole", None), ("four", 2)):
        torch.manual_seed(0)
        nn.init.normal_(net[1].weight), nn.init.zeros_(net[1].bias)
        trainer = create(tmp_path / name, model=net, device_batch_size=most, **plain)
        train(trainer)
        found.append(net[1].weight.detach().clone())
    torch.testing.assert_close(found[1], found[0])


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path):
    with pytest.raises(ValueError, match="batch_size 8 is not a multiple of device_batch_size 3"):
        create(tmp_path, device_batch_size=3)
    with pytest.raises(ValueError, match="gives chunks of 1; change batch_size or device_batch_size"):
        create(tmp_path, device_batch_size=1, mixup=0.1)


def gradients(trainer, clip=lambda parameters: None):
    """Return the gradients of the only update of a training, after clipping them."""
    seen, parameters = [], [*trainer.model.parameters()]

    def keep(*_):
        clip(parameters)
        seen.extend(p.grad.clone() for p in parameters)

    trainer.state.optimizer.register_step_pre_hook(keep)
    train(trainer)
    return seen


def test_gradients_are_clipped_as_timm_clips_them(tmp_path):
    ours = create(tmp_path / "ours", epochs=1, limit=1, clip={"mode": "agc", "value": 0.02})
    plain = create(tmp_path / "plain", epochs=1, limit=1)
    expected = gradients(plain, lambda parameters: adaptive_clip_grad(parameters, clip_factor=0.02))
    assert all(torch.equal(a, b) for a, b in zip(gradients(ours), expected, strict=True))


def test_a_recipe_may_fuse_its_updates_which_equal_the_others_up_to_rounding(tmp_path):
    fused, plain = create(tmp_path / "fused", fused_adamw=True), create(tmp_path / "plain")
    assert [bool(t.state.optimizer.param_groups[0].get("fused")) for t in (fused, plain)] == [True, False]
    train(fused)
    train(plain)
    for name, weight in plain.model.state_dict().items():
        torch.testing.assert_close(fused.model.state_dict()[name], weight, rtol=1e-4, atol=1e-6)


def test_the_average_follows_its_closed_form(tmp_path):
    trainer, seen = create(tmp_path, ema_decay=0.75), []
    weight = trainer.model[2].weight
    start = weight.detach().double().clone()
    trainer.state.optimizer.register_step_post_hook(lambda *_: seen.append(weight.detach().double().clone()))
    train(trainer)
    n = len(seen)
    expected = 0.75**n * start + sum(0.25 * 0.75 ** (n - 1 - k) * w for k, w in enumerate(seen))
    assert isinstance(trainer.state.ema, ModelEmaV3)
    torch.testing.assert_close(trainer.state.ema.module[2].weight.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains_and_keeps_weights_in_fp32(precision, tmp_path):
    progress, _ = train(create(tmp_path, epochs=12, precision=precision))
    assert progress.history[-1]["loss"] < progress.history[0]["loss"]
    trainer = create(tmp_path, epochs=12, precision=precision)
    assert trainer.model[2].weight.dtype == torch.float32
    assert trainer.state.scaler.is_enabled() == (precision == "fp16")


class Exploding(nn.Module):
    """Answers nonsense while it is trained with a rate above a bound."""

    def __init__(self, bound):
        super().__init__()
        self.net, self.bound, self.rate = create_net(), bound, lambda: 0.0

    def forward(self, images):
        logits = self.net(images)
        return logits * float("nan") if self.training and self.rate() > self.bound else logits


def exploding(folder, bound=0.03, **settings):
    model = Exploding(bound)
    trainer = create(folder, model=model, checkpoint_minutes=0, smoothing=0.0, **settings)
    model.rate = lambda: trainer.state.optimizer.param_groups[0]["lr"]
    return trainer


def test_a_divergence_ends_the_training_with_update_rate_and_last_loss(tmp_path):
    trainer = exploding(tmp_path)
    message = (
        r"the training loss is nan after 3 updates, at learning rate 0.0375; the last good one was 0\.\d+"
    )
    with pytest.raises(DivergedError, match=message):
        train(trainer)
    kept = Checkpoints(tmp_path / "checkpoints").load_newest()
    assert kept["progress"]["update"] == 3, "what was good is kept"
    assert all(torch.isfinite(value).all() for value in kept["model"].values())


def test_a_divergence_is_retried_from_the_last_good_checkpoint_at_half_the_rate(tmp_path):
    trainer, events = exploding(tmp_path, on_divergence="retry_lower_lr"), []
    progress, _ = train(trainer, events.append)
    assert progress.epoch == 3
    assert progress.lr_scale == 0.5
    assert [entry.get("lr_scale") for entry in progress.history] == [0.5, 0.5, 0.5]
    (back,) = [event for event in events if event["ev"] == "back_off"]
    assert (back["update"], back["lr_scale"]) == (3, 0.5)
    assert max(entry["lr"] for entry in progress.history) <= 0.025


def test_retries_end(tmp_path):
    trainer = exploding(tmp_path, bound=0.0, on_divergence="retry_lower_lr")
    with pytest.raises(DivergedError, match=r"after 0 updates, .*none was finite before"):
        train(trainer)
    assert trainer.progress.back_offs == 3


@pytest.mark.parametrize(
    ("settings", "fails"), [({}, True), ({"max_loss": 1e4}, False), ({"max_loss": 0.01}, True)]
)
def test_a_loss_that_explodes_has_diverged(settings, fails, tmp_path):
    class Loud(Batches):
        def __iter__(self):
            for number, (images, targets) in enumerate(super().__iter__()):
                yield images * (1e3 if number == 2 else 1), targets

    trainer = create(tmp_path, loader=Loud(), smoothing=0.0, **settings)
    if fails:
        with pytest.raises(DivergedError):
            train(trainer)
    else:
        assert train(trainer)[0].epoch == 3


class Follower(nn.Module):
    """A layer whose factor falls from 3 to 1 over the first half of the training, and is in no state dict."""

    def __init__(self):
        super().__init__()
        self.register_buffer("factor", torch.ones(()), persistent=False)
        self.told = []

    def set_epoch(self, epoch, epochs):
        self.told.append((epoch, epochs))
        self.factor.fill_(1 + 2 * max(0.0, 1 - 2 * epoch / epochs))

    def forward(self, x):
        return x * self.factor


def test_a_module_with_a_schedule_is_told_the_epoch_of_every_update_and_of_the_end(tmp_path):
    trainer = create(tmp_path, model=nn.Sequential(create_net(), Follower()), limit=6, ema_decay=0.9)
    seen = []
    trainer.run(lambda event: None, lambda model: seen.append(float(model[1].factor)) or {"val_top1": 0.5})
    (_, model), (_, average) = trainer.model, trainer.state.ema.module
    updates = [0, 1, 2, 3, 4, 4, 5, 6]  # each update, and the end of an epoch
    assert model.told == average.told == [(update / 4, 1.5) for update in updates]
    assert seen == [1.0] * 4  # of both models after both epochs
    assert model.factor == average.factor == 1


@pytest.mark.parametrize("stop_at", [1, 4, 5])
def test_a_schedule_goes_on_where_a_training_stopped(stop_at, tmp_path):
    nets = [nn.Sequential(create_net(), Follower()) for _ in range(3)]
    train(first := create(tmp_path / "a", checkpoint_minutes=0, model=nets[0]))
    train_until(create(tmp_path / "b", checkpoint_minutes=0, model=nets[1]), stop_at)
    train(again := create(tmp_path / "b", checkpoint_minutes=0, model=nets[2]))
    assert nets[2][1].told[0] == (stop_at / 4, 3)
    assert same(first.model.state_dict(), again.model.state_dict())


class BoxBatches(Batches):
    """Batches of images of different sizes and a list of boxes for each."""

    def __iter__(self):
        for images, targets in super().__iter__():
            yield {"images": list(images), "boxes": [target.repeat(target + 1).float() for target in targets]}


class BoxTask:
    """Learns from a batch of that kind; the trainer knows nothing of it."""

    def __init__(self):
        self.seeds = []

    def to(self, device):
        return self

    def count(self, batch):
        return len(batch["images"])

    def prepare(self, batch, *, device, memory_format, seed):
        self.seeds.append(seed)
        return torch.stack(batch["images"]).to(device), [boxes.to(device) for boxes in batch["boxes"]]

    def loss(self, forward, batch):
        images, boxes = batch
        found = forward(images)
        losses = [(one[0] - own.sum()).abs() + one[1] ** 2 for one, own in zip(found, boxes, strict=True)]
        return torch.stack(losses).mean()


class ByUpdates(TrainingSpec):
    """Settings counted in updates, not epochs."""

    iterations: int = 10

    @property
    def rate_schedule(self):
        return Poly(power=1.0)

    def updates(self, steps):
        return self.iterations


def train_boxes(folder, *, stop_at=None):
    trainer = Trainer(
        create_net(),
        ByUpdates(batch_size=8, lr=0.01, checkpoint_minutes=0),
        BoxBatches(steps=4),
        checkpoints_of(folder),
        task := BoxTask(),
        seed=7,
    )
    trainer.state.optimizer.register_step_pre_hook(lambda *_: stop_if(trainer.progress.update == stop_at))
    return trainer, task


@pytest.mark.parametrize("stop_at", [3, 4, 9])
def test_any_structure_of_batches_is_trained_for_a_number_of_updates_and_resumed(stop_at, tmp_path):
    first, task = train_boxes(tmp_path / "a")
    progress, rates = train(first)
    assert rates == pytest.approx([0.01 * (1 - update / 10) for update in range(10)])
    assert (first.epochs, progress.epoch, progress.update) == (3, 3, 10)
    assert len(set(task.seeds)) == len(task.seeds) == 10
    assert progress.history[-1]["loss"] < progress.history[0]["loss"]
    broken, _ = train_boxes(tmp_path / "b", stop_at=stop_at)
    with pytest.raises(StopError):
        train(broken)
    again, _ = train_boxes(tmp_path / "b")
    assert again.progress.update == stop_at
    train(again)
    assert same(first.model.state_dict(), again.model.state_dict())


def test_the_images_of_a_batch_are_counted_by_its_task(tmp_path, monkeypatch):
    monkeypatch.setattr("lsbench.engine.trainer.EMIT_EVERY_S", -1)
    trainer, task = train_boxes(tmp_path)
    counted = []
    monkeypatch.setattr(task, "count", lambda batch: counted.append(len(batch["images"])) or 8)
    train(trainer)
    assert counted == [8] * 10
