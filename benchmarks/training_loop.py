"""Seconds per epoch of lsbench's training loop, a bare PyTorch loop, and a loop made of timm's parts.

All three train the same model with the same optimizer, loss and batches. They take turns within each round,
in alternating order, each with a fresh model of the same seed. `lsbench` is the Trainer of a train job:
events, loss monitoring, and a checkpoint after each epoch, whose time is also shown separately. `timm` is the
loop of timm's training script, built from the installed package. The table shows the median and quartiles of
the ratios within each round. Run on an idle machine:

    python benchmarks/training_loop.py [--model lsnet_nano] [--threads 2] [--rounds 9] [--updates 60]
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import AverageMeter
from torch import Tensor, nn

from lsbench.engine.checkpoints import Checkpoints
from lsbench.engine.objective import Objective
from lsbench.engine.recipe import Recipe
from lsbench.engine.trainer import Trainer
from lsbench.models.factory import create_model

#: Model -> (image size, batch size): one model for small images, and one at the paper's size.
SETTINGS = {"lsnet_nano": (32, 64), "lsnet_t": (224, 16)}
NUM_CLASSES = 10


class Batches:
    """Random images in memory, normalised for every batch as a loader does."""

    def __init__(self, updates: int, batch: int, size: int) -> None:
        generator = torch.Generator().manual_seed(0)
        shape = (updates, batch, 3, size, size)
        self._pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        self._targets = torch.randint(0, NUM_CLASSES, shape[:2], generator=generator)

    def set_epoch(self, epoch: int, start_update: int = 0) -> None:
        """Do nothing: every epoch is the same."""

    def __len__(self) -> int:
        return len(self._targets)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for pixels, targets in zip(self._pixels, self._targets, strict=True):
            yield (pixels.float() / 255 - 0.5) / 0.25, targets


def lsbench_loop(model: nn.Module, batches: Batches, recipe: Recipe) -> tuple[float, float]:
    """Return the seconds of an epoch, and the seconds of its checkpoint."""
    saved: list[float] = []

    class Timed(Checkpoints):
        def save(self, step: int, state: dict[str, Any]) -> None:
            started = time.perf_counter()
            super().save(step, state)
            saved.append(time.perf_counter() - started)

    with tempfile.TemporaryDirectory() as folder:
        objective = Objective(recipe, NUM_CLASSES)
        trainer = Trainer(model, recipe, batches, Timed(Path(folder)), objective, seed=0)
        started = time.perf_counter()
        trainer.run(lambda event: None, lambda model: {})
        return time.perf_counter() - started, sum(saved)


def bare_loop(model: nn.Module, batches: Batches, recipe: Recipe) -> tuple[float, float]:
    """Return the seconds of an epoch in a loop that only trains and sums the loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.smoothing)
    model.train()
    total, updates = 0.0, len(batches)
    started = time.perf_counter()
    for update, (images, targets) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * (1 + math.cos(math.pi * update / updates)) / 2
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(images), targets)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return time.perf_counter() - started, 0.0


def timm_loop(model: nn.Module, batches: Batches, recipe: Recipe) -> tuple[float, float]:
    """Return the seconds of an epoch in the loop of timm's training script, without its options."""
    optimizer = create_optimizer_v2(model, opt="adamw", lr=recipe.lr, weight_decay=recipe.weight_decay)
    updates = len(batches)
    scheduler, _ = create_scheduler_v2(
        optimizer,
        sched="cosine",
        num_epochs=1,
        warmup_epochs=0,
        updates_per_epoch=updates,
        step_on_epochs=False,
    )
    criterion = LabelSmoothingCrossEntropy(smoothing=recipe.smoothing)
    losses, durations = AverageMeter(), AverageMeter()
    model.train()
    started = ended = time.perf_counter()
    for update, (images, targets) in enumerate(batches):
        loss = criterion(model(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.update(loss.item(), images.size(0))
        durations.update(time.perf_counter() - ended)
        ended = time.perf_counter()
        scheduler.step_update(num_updates=update + 1, metric=losses.avg)
    return time.perf_counter() - started, 0.0


LOOPS: dict[str, Callable[[nn.Module, Batches, Recipe], tuple[float, float]]] = {
    "lsbench": lsbench_loop,
    "bare PyTorch": bare_loop,
    "timm": timm_loop,
}


def fresh_model(name: str, size: int) -> nn.Module:
    """Return the model with fixed random weights."""
    torch.manual_seed(0)
    return create_model(name, num_classes=NUM_CLASSES, img_size=size)


def measure(name: str, rounds: int, updates: int) -> None:
    """Print the table of one model."""
    size, batch = SETTINGS[name]
    batches = Batches(updates, batch, size)
    recipe = Recipe(epochs=1, batch_size=batch, warmup_epochs=0, min_lr=0.0)
    seconds: dict[str, list[float]] = {loop: [] for loop in LOOPS}
    saved: list[float] = []
    order = list(LOOPS)
    for number in range(-1, rounds):  # the first round warms up
        for loop in order:
            epoch_s, saved_s = LOOPS[loop](fresh_model(name, size), batches, recipe)
            if number >= 0:
                seconds[loop].append(epoch_s)
                saved += [saved_s] if loop == "lsbench" else []
        order.append(order.pop(0))
    print(f"{name}, {size} px, batch {batch}, {updates} updates, {rounds} rounds")
    print(f"{'loop':<14} {'s/epoch':>9} {'/ bare':>7}  quartiles")
    for loop, found in seconds.items():
        ratios = [a / b for a, b in zip(found, seconds["bare PyTorch"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{loop:<14} {statistics.median(found):>9.3f} {middle:>7.3f}  {low:.3f} to {high:.3f}")
    print(f"lsbench's checkpoint took {statistics.median(saved):.3f} s per epoch")


def main() -> None:
    """Run the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=SETTINGS, action="append")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--updates", type=int, default=60)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    for name in asked.model or SETTINGS:
        measure(name, asked.rounds, asked.updates)


if __name__ == "__main__":
    main()
