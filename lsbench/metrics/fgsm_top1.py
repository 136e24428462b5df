"""Top-1 accuracy under FGSM: one step of 1/255 against the image's own class.

Settings are explained in ``lsbench/metrics/_attack.py``.
"""

from __future__ import annotations

from functools import partial

from lsbench.core.quantity import percentage
from lsbench.metrics import Metric
from lsbench.metrics._attack import EPSILON, attack, is_still_right

QUANTITIES = (percentage("fgsm_top1", "FGSM top-1", is_headline=True, is_per_image=True),)

METRIC = Metric(
    is_still_right,
    attack=partial(attack, steps=1, step_size=EPSILON, is_start_random=False),
    passes=4,
)
