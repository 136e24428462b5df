"""The timed part: blocks of samples between readings of the machine, until the stop rule ends it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np

from lsbench.timing.request import Budget, Reply
from lsbench.timing.stopping import StopRule, warm_up
from lsbench.timing.watch import Watch

INTERVAL_S = 0.25
"""Seconds between two readings of the machine; below a few tenths its CPU counters are too coarse."""
BLOCK_S = 0.01
"""Least duration of each turn of a pair, in seconds."""
SHORT_S = 0.02
"""After a reading of the machine, a single model with shorter passes first runs one untimed pass."""
WARM_UP_SHARE = 0.25
"""Fraction of the time for warming up, per model."""

Pass = Callable[[], float]


class Session:
    """Times one model, or two in turns.

    Attributes:
        passes: Passes of the timed part so far.
    """

    def __init__(
        self,
        models: Sequence[Pass],
        budget: Budget,
        watch: Watch,
        clock: Pass,
        *,
        on_warm: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare a session.

        Args:
            models: For each model a function that runs one pass and returns its seconds; the second is the
                control.
            budget: Required precision and time limits.
            watch: Reads the machine.
            clock: Seconds of a monotonic clock.
            on_warm: Called once, between the warm-up and the timed part.
        """
        self.passes, self._on_warm = 0, on_warm
        self._models = [self._counted(model) for model in models]
        self._budget, self._watch, self._clock = budget, watch, clock

    def _counted(self, model: Pass) -> Pass:
        def run() -> float:
            self.passes += 1
            return model()

        return run

    def run(self) -> Reply:
        """Warm up, take samples until the stop rule ends it, and return all of them."""
        most_s = self._budget.max_s * WARM_UP_SHARE
        warm = [warm_up(model, self._clock, most_s=most_s) for model in self._models]
        usual = [model() for model in self._models]
        is_limited = self._budget.max_samples is not None
        lengths = [1 if is_limited else _block_length(seconds) for seconds in usual]
        rule, samples, marks = StopRule(self._budget), list[tuple[float, ...]](), list[bool]()
        self.passes = 0
        self._on_warm()
        self._watch.start()
        started, why = self._clock(), None
        while why is None:
            if len(usual) == 1 and usual[0] < SHORT_S:
                self._models[0]()
            block = self._interval(lengths, len(samples))
            samples += block
            marks += [self._watch.close_interval(len(block))] * len(block)
            taken = np.array(samples)
            compared = taken[:, 0] if len(usual) == 1 else taken[:, 0] / taken[:, 1]
            why = rule.reason(compared, np.array(marks), self._clock() - started)
        return Reply(
            seconds=taken[:, 0].tolist(),
            control_seconds=taken[:, 1].tolist() if len(usual) > 1 else [],
            is_disturbed=marks,
            disturbed_by=dict(self._watch.disturbed_by),
            stopped_by=why,
            warm_up=warm,
            passes=self.passes,
            energy_j=self._watch.energy_j,
            conditions=self._watch.summary(),
        )

    def _interval(self, lengths: Sequence[int], taken: int) -> list[tuple[float, ...]]:
        """Return the samples of one interval: each has the seconds per pass of every model in turn.

        Where a limit ends it early, untimed passes fill it: the machine cannot be judged in less time.
        """
        most = self._budget.max_samples or math.inf
        opened, block = self._clock(), list[tuple[float, ...]]()
        while not block or (self._clock() - opened < INTERVAL_S and taken + len(block) < most):
            if len(self._models) == 1:
                block.append((self._models[0](),))
                continue
            turns = zip(self._models, lengths, strict=True)
            block.append(tuple(_turn(model, length) for model, length in turns))
        while self._clock() - opened < INTERVAL_S:
            self._models[0]()
        return block


def _block_length(seconds: float) -> int:
    """Return the number of timed passes per turn.

    >>> [_block_length(seconds) for seconds in (0.5, 0.004, 1e-5)]
    [1, 3, 50]
    """
    return min(50, max(1, math.ceil(BLOCK_S / seconds)))


def _turn(model: Pass, length: int) -> float:
    """Return the median of a turn's passes; a pass before them clears the caches of the other's data."""
    model()
    return statistics.median([model() for _ in range(length)])
