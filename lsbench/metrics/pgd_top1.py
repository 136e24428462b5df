"""Top-1 accuracy under PGD: five steps of 0.5/255 within 1/255 against the image's own class.

Settings are explained in ``lsbench/metrics/_attack.py``.
"""

from __future__ import annotations

from functools import partial

from lsbench.core.quantity import percentage
from lsbench.metrics import Metric
from lsbench.metrics._attack import attack, is_still_right

QUANTITIES = (percentage("pgd_top1", "PGD top-1", is_headline=True, is_per_image=True),)

METRIC = Metric(
    is_still_right,
    attack=partial(attack, steps=5, step_size=0.5 / 255, is_start_random=True),
    passes=16,
)
