"""Watch the losses of a training, and stop it when it diverges."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lsbench.core.errors import DivergedError

#: Reading a loss on a GPU waits for all queued work; this many updates pass between two reads.
LOOK_EVERY = 32
EXPLOSION = 10.0


class LossWatch:
    """The losses of an epoch; on a GPU they stay there until they are read.

    Attributes:
        total: Sum of the losses read in this epoch.
        first: The loss that later ones are measured against: the training's first, or the largest of those in
            which it settles; None before it.
        last: The last loss read.
    """

    def __init__(self, max_loss: float | None, *, settling: int = 1) -> None:
        """Start watching.

        Args:
            max_loss: Losses above it count as diverged; None: ten times the first one.
            settling: Updates at the start of the training that may have any finite loss; the largest stands
                for the first one. Detectors may begin at thousands, and soon train well.
        """
        self._max_loss, self._settling = max_loss, settling
        self._waiting: list[tuple[int, float, Tensor]] = []
        self.total = 0.0
        self.first: float | None = None
        self.last: float | None = None

    def add(self, update: int, lr: float, loss: Tensor) -> None:
        """Record an update's loss, and read the recorded losses if that is cheap or due.

        Args:
            update: Number of the update in the whole training, from 0.
            lr: Its learning rate.
            loss: A scalar, detached.

        Raises:
            DivergedError: As :meth:`look`.
        """
        self._waiting.append((update, lr, loss))
        if not loss.is_cuda or len(self._waiting) >= LOOK_EVERY:
            self.look()

    def look(self) -> None:
        """Read the recorded losses.

        Raises:
            DivergedError: If one is not finite or has exploded: the update, its learning rate, and the last
            good loss.
        """
        if not self._waiting:
            return
        values = torch.stack([loss for _, _, loss in self._waiting]).tolist()
        noted, self._waiting = self._waiting, []
        for (update, lr, _), value in zip(noted, values, strict=True):
            if math.isfinite(value) and (self.first is None or update < self._settling):
                self.first = value if self.first is None else max(value, self.first)
            if not math.isfinite(value) or value > self._bound():
                raise self._diverged(update, lr, value)
            self.total += value
            self.last = value

    def start_epoch(self, total: float = 0.0) -> None:
        """Start an epoch, or continue one whose losses so far sum to `total`."""
        self._waiting.clear()
        self.total = total

    def _bound(self) -> float:
        if self._max_loss is not None:
            return self._max_loss
        return math.inf if self.first is None else EXPLOSION * self.first

    def _diverged(self, update: int, lr: float, value: float) -> DivergedError:
        last = "none was finite before" if self.last is None else f"the last good one was {self.last:.4g}"
        return DivergedError(
            f"the training loss is {value:.4g} after {update} updates, at learning rate {lr:.4g}; {last}; "
            "lower `lr`, or try `on_divergence: retry_lower_lr`"
        )
