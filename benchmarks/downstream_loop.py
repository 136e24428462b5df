"""Time updates of detectors and segmenters in the trainer beside a bare loop of the same model, in turns.

The models of the suite ``downstream`` on made-up scenes in memory: batches of 8 images (16 for segmentation)
of 128 x 128 pixels. CPU seconds of one thread, as other work on the machine hardly changes them; checkpoints
are left out, as a bare loop writes none.

    python benchmarks/downstream_loop.py
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from lsbench.detection.settings import SETTINGS, Task
from lsbench.engine.checkpoints import Checkpoints
from lsbench.engine.downstream_spec import DownstreamSpec
from lsbench.engine.named_losses import NamedLosses
from lsbench.engine.trainer import Trainer
from lsbench.models import create_downstream
from lsbench.models.downstream.model import DownstreamModel

SIDE, CLASSES = 128, 5
HEADS: dict[Task, dict[str, Any]] = {
    "retinanet": {"channels": 64, "convs": 2, "extra_levels": 0, "anchor_scale": 3.0},
    "maskrcnn": {
        "channels": 64,
        "box_channels": 128,
        "mask_convs": 2,
        "proposals": 100,
        "proposals_in_training": 100,
        "sampled_proposals": 64,
    },
    "semantic_fpn": {"channels": 64, "head_channels": 64},
}
BATCH: dict[Task, int] = {"retinanet": 8, "maskrcnn": 8, "semantic_fpn": 16}


class Scenes:
    """The same batches in every epoch, in memory."""

    def __init__(self, task: Task, updates: int) -> None:
        self.task, self.updates = task, updates
        generator = torch.Generator().manual_seed(0)
        self.batches = [self._batch(generator) for _ in range(4)]

    def _batch(self, generator: torch.Generator) -> tuple[torch.Tensor, Any]:
        count = BATCH[self.task]
        images = torch.randn(count, 3, SIDE, SIDE, generator=generator)
        if self.task == "semantic_fpn":
            return images, torch.randint(0, CLASSES, (count, SIDE, SIDE), generator=generator)
        return images, [self._objects(generator) for _ in range(count)]

    def _objects(self, generator: torch.Generator) -> dict[str, Any]:
        corners = torch.randint(0, SIDE // 2, (3, 2), generator=generator).float()
        sides = torch.randint(24, SIDE // 2, (3, 2), generator=generator).float()
        boxes = torch.cat([corners, corners + sides], dim=1)
        masks = torch.zeros(3, SIDE, SIDE, dtype=torch.uint8)
        for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
            mask[top:bottom, left:right] = 1
        labels = torch.randint(0, CLASSES, (3,), generator=generator)
        return {"boxes": boxes, "labels": labels, "masks": masks, "image_size": (SIDE, SIDE)}

    def set_epoch(self, epoch: int, start_update: int = 0) -> None:
        """Do nothing: every epoch is the same."""

    def __len__(self) -> int:
        return self.updates

    def __iter__(self) -> Iterator[tuple[torch.Tensor, Any]]:
        return (self.batches[update % len(self.batches)] for update in range(self.updates))


class Spec(DownstreamSpec):
    """Settings of a training of the task."""

    kind: Task = "retinanet"

    @property
    def model_kind(self) -> Task:
        """The kind of model."""
        return self.kind


def fresh_model(task: Task) -> DownstreamModel:
    """Return the model with fixed random weights."""
    torch.manual_seed(0)
    settings = SETTINGS[task].model_validate(HEADS[task])
    return create_downstream(task, "lsnet_nano", num_classes=CLASSES, settings=settings, stem_stride=8)


def lsbench_loop(task: Task, scenes: Scenes) -> float:
    """Return the CPU seconds of an epoch in the trainer, without those of its checkpoint."""
    saved: list[float] = []

    class Timed(Checkpoints):
        def save(self, step: int, state: dict[str, Any]) -> None:
            started = time.process_time()
            super().save(step, state)
            saved.append(time.process_time() - started)

    spec = Spec(kind=task, head=HEADS[task], epochs=1, batch_size=BATCH[task], clip={"value": 5.0})
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(fresh_model(task), spec, scenes, Timed(Path(folder)), NamedLosses(), seed=0)
        started = time.process_time()
        trainer.run(lambda event: None, lambda model: {})
        return time.process_time() - started - sum(saved)


def bare_loop(task: Task, scenes: Scenes) -> float:
    """Return the CPU seconds of an epoch in a loop that trains, clips and sums the loss."""
    model = fresh_model(task)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)
    model.train()
    total, updates = 0.0, len(scenes)
    started = time.process_time()
    for update, (images, targets) in enumerate(scenes):
        for group in optimizer.param_groups:
            group["lr"] = 1e-4 * (1 + math.cos(math.pi * update / updates)) / 2
        optimizer.zero_grad(set_to_none=True)
        loss = torch.stack(list(model(images, targets).values())).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        total += loss.item()
    return time.process_time() - started


def measure(task: Task, rounds: int, updates: int) -> None:
    """Print the row of one task."""
    scenes = Scenes(task, updates)
    loops = {"lsbench": lsbench_loop, "bare": bare_loop}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(-1, rounds):  # the first round warms up
        for name in sorted(loops, reverse=bool(number % 2)):
            taken = loops[name](task, scenes)
            if number >= 0:
                seconds[name].append(taken / updates)
    ratios = [ours / bare for ours, bare in zip(seconds["lsbench"], seconds["bare"], strict=True)]
    ours, bare = (statistics.median(seconds[name]) for name in ("lsbench", "bare"))
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    print(f"{task:<14} {ours:>8.4f} {bare:>8.4f} {statistics.median(ratios):>7.3f}  {spread}")


def main() -> None:
    """Run the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=HEADS, action="append")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--updates", type=int, default=10)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'model':<14} {'lsbench':>8} {'bare':>8} {'ratio':>7}  lowest and highest (CPU s per update)")
    for task in asked.task or HEADS:
        measure(task, asked.rounds, asked.updates)


if __name__ == "__main__":
    main()
