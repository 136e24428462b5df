"""Randomness of one sample of one epoch, the same in any process."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch

from lsbench.data.loading.random_state import same_randomness_afterwards


def derive_seed(*parts: int) -> int:
    """Return a 63-bit seed that depends on all `parts` and nothing else.

    >>> derive_seed(0, 1) == derive_seed(0, 1), derive_seed(0, 1) == derive_seed(1, 0)
    (True, False)
    """
    digest = hashlib.sha256(",".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@contextmanager
def seeded_rng(seed: int, *, restore: bool) -> Iterator[None]:
    """Seed the global generators of Python, numpy and torch for the block.

    Transforms of timm and torchvision draw from all three. Only the CPU generator of torch is touched.

    Args:
        seed: Any non-negative 63-bit number.
        restore: Restore the previous states afterwards. Needed in the training process, where others use them
            (dropout, mixup); a data worker has no other use for them.
    """
    with same_randomness_afterwards() if restore else nullcontext():
        random.seed(seed)
        np.random.seed(seed & 0xFFFFFFFF)
        torch.default_generator.manual_seed(seed)
        yield
