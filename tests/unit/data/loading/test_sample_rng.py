import random

import numpy as np
import torch

from lsbench.data.loading.sample_rng import derive_seed, seeded_rng


def draw():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_seeds_differ_by_every_part():
    seeds = {derive_seed(a, b, c) for a in range(3) for b in range(3) for c in range(3)}
    assert len(seeds) == 27
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_block_is_seeded_and_the_outside_is_untouched():
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(1)
    draw()
    expected = draw()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(1)
    draw()
    with seeded_rng(5, restore=True):
        inside = draw()
    assert draw() == expected
    with seeded_rng(5, restore=False):
        assert draw() == inside
        after = draw()
    assert draw() != after
