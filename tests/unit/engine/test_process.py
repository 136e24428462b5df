import os
import platform
import random
import resource

import numpy as np
import pytest
import torch

from lsbench.core.errors import DeviceLostError
from lsbench.engine.process import (
    device_name,
    keep_freed_memory,
    prepare_process,
    seed_everything,
    unsupported_device,
    why_no_gpu,
)


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


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_job_that_was_given_a_gpu_and_sees_none_does_not_run_on_the_cpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(DeviceLostError, match=r"was given 1 GPU \(visible: 3\), and torch .*") as caught:
        prepare_process(threads=1, seed=0, wants_gpu=True)
    assert caught.value.error_class == "device_lost"


@pytest.mark.parametrize(
    ("rank", "found", "message"),
    [(2, 2, r"given 3 GPUs \(visible: 0,1\) and torch sees 2"), (0, 0, r"given 1 GPU \(visible: 0,1\), and")],
)
def test_a_rank_without_a_gpu_of_its_own_says_how_many_there_are(monkeypatch, rank, found, message):
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: found)
    with pytest.raises(DeviceLostError, match=message):
        prepare_process(threads=1, seed=0, wants_gpu=True)


@pytest.mark.parametrize(
    ("share", "had_less", "capped"), [(0.25, False, [0.25]), (1.0, False, []), (1.0, True, [1.0])]
)
def test_a_job_with_a_fraction_of_a_gpu_may_take_that_share_of_memory(monkeypatch, share, had_less, capped):
    told = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: had_less)
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: None)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", told.append)
    assert prepare_process(threads=1, seed=0, wants_gpu=True, share=share) == "cuda"
    assert told == capped


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_job_that_takes_a_gpu_if_there_is_one_runs_on_the_cpu_where_there_is_none():
    assert prepare_process(threads=1, seed=0, wants_gpu=None) == "cpu"


@pytest.mark.parametrize("kind", ["mps", "xpu"])
def test_a_device_that_is_not_supported_is_named(monkeypatch, kind):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: kind == "mps")
    monkeypatch.setattr(torch.xpu, "is_available", lambda: kind == "xpu")
    message = f"torch sees one of {kind.upper()}, which lsbench does not support; set `num_gpus: 0`"
    assert message in why_no_gpu(0, 0)


@pytest.mark.gpu
def test_more_than_a_jobs_share_of_memory_is_not_had():
    prepare_process(threads=1, seed=0, wants_gpu=True, share=0.125)
    free, total = torch.cuda.mem_get_info()
    torch.empty(total // 16, dtype=torch.uint8, device="cuda")
    with pytest.raises(torch.OutOfMemoryError):
        torch.empty(total // 4, dtype=torch.uint8, device="cuda")
    prepare_process(threads=1, seed=0, wants_gpu=True)
    if free > total // 2:
        torch.empty(total // 4, dtype=torch.uint8, device="cuda")


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


def test_this_machine_has_no_device_that_is_not_supported(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: False)
    assert unsupported_device() is None


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_a_process_keeps_the_memory_that_it_frees():
    def fill():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        arrays = [np.ones(1 << 20) for _ in range(4)]  # 8 MiB each
        del arrays
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    child = os.fork()  # the setting lasts as long as its process
    if child == 0:
        keep_freed_memory()
        os._exit(0 if fill() > 1000 and fill() < 100 else 1)
    assert os.waitpid(child, 0)[1] == 0
