import random

import numpy as np
import pytest
import torch

from lsbench.engine.process import device_name, prepare_process, seed_everything

pytestmark = pytest.mark.usefixtures("same_torch_afterwards")


def draw():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_all_random_streams_follow_the_seed():
    seed_everything(5)
    first = draw()
    seed_everything(5)
    assert draw() == first
    seed_everything(6)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_a_seed_may_be_as_large_as_a_seed_times_an_epoch_gets():
    seed_everything(100_003 * 100_000)
    first = draw()
    seed_everything(100_003 * 100_000)
    assert draw() == first


def test_a_job_gets_its_threads_and_deterministic_algorithms(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    assert prepare_process(threads=2, seed=0, wants_gpu=False) == "cpu"
    assert torch.get_num_threads() == 2
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark


def test_the_cpu_has_no_device_name():
    assert device_name("cpu") is None


def test_the_largest_seed_of_a_suite_can_be_trained_with():
    seed_everything((2**63 - 1) * 100_003 + 7)
    first = draw()
    seed_everything((2**63 - 1) * 100_003 + 7)
    assert draw() == first


def operators(function):
    with torch.profiler.profile() as profile:
        function()
    return {event.name for event in profile.events()}


def test_deterministic_algorithms_do_not_fill_new_memory():
    prepare_process(threads=1, seed=0, wants_gpu=False)
    assert "aten::fill_" not in operators(lambda: torch.empty(8))
    torch.utils.deterministic.fill_uninitialized_memory = True
    assert "aten::fill_" in operators(lambda: torch.empty(8)), "the profiler would have seen it"
