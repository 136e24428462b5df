import io
import random

import numpy as np
import torch

from lsbench.data.loading.random_state import (
    put_random_state,
    read_random_state,
    same_randomness_afterwards,
)


def draw():
    return random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(3).tolist()


def test_every_stream_goes_on_where_it_was_after_a_file(tmp_path):
    random.gauss(0, 1), np.random.randn()  # each keeps a second number in hand
    buffer = io.BytesIO()
    torch.save(read_random_state("cpu"), buffer)
    expected = draw()
    draw()
    buffer.seek(0)
    put_random_state(torch.load(buffer, weights_only=True))
    assert draw() == expected


def test_a_block_that_draws_leaves_the_streams_as_they_were():
    state = read_random_state()
    expected = draw()
    put_random_state(state)
    with same_randomness_afterwards():
        draw()
    assert draw() == expected
