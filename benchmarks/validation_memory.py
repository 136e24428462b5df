"""Memory of a device in training and in validation, traced from shapes: nothing is allocated.

Run: ``python benchmarks/validation_memory.py [--recipe lsnet_300e] [--devices 8] [--models resnet50 ...]``.
It counts the tensors that are alive beside the model's weights, not what an allocator and libraries take.
Batches are those of a train job on so many devices. Status 1: a validation takes over 1.2 times as much as
training.
"""

from __future__ import annotations

import argparse
import sys
import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from lsbench.engine.named_recipes import NAMED_RECIPES
from lsbench.engine.recipe import Recipe
from lsbench.models.factory import create_model

#: The five of the suites of the paper that take the most in training.
LARGEST = (
    "fastvit_sa24",
    "efficientformerv2_s2",
    "resnet50_ls",
    "poolformer_s24",
    "swin_tiny_patch4_window7_224",
)
IMG_SIZE, MOST, GIB = 224, 1.2, 2**30


class AliveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that operators return, while they are alive.

    Attributes:
        peak: The most so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now, self.peak = 0, 0
        self._known = WeakIdKeyDictionary()

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operator(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        return result

    def _note(self, storage: Any) -> None:
        if storage in self._known:
            return
        size = storage.nbytes()
        self._known[storage] = size
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, size)

    def _forget(self, size: int) -> None:
        self.now -= size


def training_peak(model: nn.Module, batch: int) -> int:
    """Return the bytes of a training step: activations and gradients."""
    images, labels = _images(batch), torch.empty(batch, dtype=torch.long, device="meta")
    model.train()
    with AliveBytes() as alive:
        F.cross_entropy(model(images), labels).backward()
    model.zero_grad()
    peak: int = alive.peak
    return peak


def validation_peak(model: nn.Module, batch: int) -> int:
    """Return the bytes of a batch of validation."""
    images = _images(batch)
    model.eval()
    with AliveBytes() as alive, torch.inference_mode():
        model(images)
    peak: int = alive.peak
    return peak


def _images(batch: int) -> Tensor:
    return torch.empty(batch, 3, IMG_SIZE, IMG_SIZE, device="meta")


def main() -> None:
    """Print one row per model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", choices=NAMED_RECIPES, default="lsnet_300e")
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--models", nargs="+", default=LARGEST)
    options = parser.parse_args()
    batch = Recipe(recipe=options.recipe, **NAMED_RECIPES[options.recipe]).device_batch(options.devices)
    print(f"{batch} images at once on each of {options.devices} devices, GiB beside the weights")
    print(f"{'':30s}{'training':>10s}{'validation':>12s}{'ratio':>8s}")
    worst = 0.0
    for name in options.models:
        model = create_model(name, num_classes=1000, img_size=IMG_SIZE).to("meta")
        training, validation = training_peak(model, batch), validation_peak(model, batch)
        worst = max(worst, validation / training)
        print(
            f"{name:30s}{training / GIB:10.2f}{validation / GIB:12.2f}{validation / training:8.2f}",
            flush=True,
        )
    sys.exit(worst > MOST)


if __name__ == "__main__":
    main()
