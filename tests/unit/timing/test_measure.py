import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from lsbench.core.registry import RUNTIMES
from lsbench.runtimes import Runtime
from lsbench.timing.measure import _most_other_cpus, answer, measure, peak_memory_mib, tf32_products
from lsbench.timing.request import Budget, Setting, TimedModel


def test_a_model_is_timed_and_what_it_took_is_told(small_request):
    reply = measure(small_request)
    assert len(reply.seconds) == len(reply.is_disturbed) == 6
    assert all(seconds > 0 for seconds in reply.seconds)
    assert reply.control_seconds == []
    # The kernel sums its counters of memory now and then: two readings may differ by a little.
    assert peak_memory_mib() + 4 >= reply.peak_memory_mib > 100
    assert reply.peak_memory_mib >= reply.base_memory_mib > 0
    assert (reply.peak_device_memory_mib, reply.energy_j) == (None, None)
    assert (reply.device_model, reply.tf32) == (None, None)
    assert reply.conditions["other_cpus"]["max"] >= 0
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("in_conv", "in_matmul", "override", "products"),
    [
        (False, False, None, "off"),
        (True, False, None, "conv"),
        (False, True, None, "matmul"),
        (True, True, None, "on"),
        (True, True, "0", "off"),
    ],
)
def test_which_products_are_in_tf32_is_told(in_conv, in_matmul, override, products, monkeypatch):
    monkeypatch.setattr(torch.backends, "cudnn", SimpleNamespace(allow_tf32=in_conv))
    monkeypatch.setattr(torch.backends.cuda, "matmul", SimpleNamespace(allow_tf32=in_matmul))
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    if override is not None:
        monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", override)
    assert tf32_products() == products


@pytest.mark.gpu
def test_a_timing_on_a_gpu_names_it_and_counts_no_memory_of_tuners(small_request):
    subject = TimedModel(model="lsnet_nano")
    reply = measure(small_request.model_copy(update={"device": "cuda", "subject": subject, "batch_size": 64}))
    assert reply.device_model == torch.cuda.get_device_name()
    assert reply.tf32 in ("off", "conv", "matmul", "on")
    assert 0 < reply.peak_device_memory_mib < 128, "Triton's tuner takes 256 MiB to clear the cache"


def test_a_control_takes_turns_with_it(small_request):
    control = TimedModel(model="lsnet_nano", mixer="without_ska")
    reply = measure(small_request.model_copy(update={"control": control}))
    assert len(reply.seconds) == len(reply.control_seconds) == 6
    assert len(reply.warm_up) == 2


def test_programs_are_loaded_and_take_turns(small_request, monkeypatch, tmp_path):
    ran = []

    def load(folder, form):
        return lambda images: ran.append((folder.name, tuple(images.shape)))

    own = Runtime(load, {"cpu": ("fp32",)}, lambda: "1", write=print)
    monkeypatch.setattr(type(RUNTIMES), "load", lambda self, name: own)
    update = {"programs": (str(tmp_path / "a"), str(tmp_path / "b")), "setting": Setting(runtime="mine")}
    reply = measure(small_request.model_copy(update={**update, "control": small_request.subject}))
    assert len(reply.seconds) == len(reply.control_seconds) == 6
    assert set(ran) == {("a", (2, 3, 32, 32)), ("b", (2, 3, 32, 32))}


@pytest.mark.parametrize(
    ("subject", "control", "is_fused", "left"),
    [
        ({"model": "lsnet_nano"}, None, True, None),
        ({"model": "test_resnet"}, None, True, 0),
        ({"model": "lsnet_nano"}, {"model": "test_resnet"}, True, 0),
        ({"model": "lsnet_nano", "mixer": "cot"}, {"model": "test_resnet"}, True, 6),
        ({"model": "test_resnet"}, None, False, None),
    ],
)
def test_what_fusing_left_is_told(subject, control, is_fused, left, small_request):
    made = {
        "subject": TimedModel(**subject),
        "control": control and TimedModel(**control),
        "setting": Setting(fused=is_fused),
    }
    assert measure(small_request.model_copy(update=made)).unfused_norms == left


@pytest.fixture
def busy_neighbour():
    """A process that uses a CPU for nothing; it is at it when the test begins."""
    command = [sys.executable, "-c", "print('busy', flush=True)\nwhile True: pass"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield
        process.kill()


@pytest.mark.usefixtures("busy_neighbour")
def test_a_busy_neighbour_is_noticed(small_request):
    budget = Budget(target_noise=1e-9, min_s=0.6, max_s=0.6)
    reply = measure(small_request.model_copy(update={"budget": budget}))
    assert any(reply.is_disturbed)
    assert set(reply.disturbed_by) == {"other processes on the CPUs"}
    assert reply.conditions["other_cpus"]["max"] > budget.max_other_cpus


def test_the_largest_batch_is_looked_for(small_request, monkeypatch):
    monkeypatch.setattr("lsbench.timing.measure.MOST_IMAGES", 4)
    reply = measure(small_request.model_copy(update={"action": "fit"}))
    assert reply.batch_size in (1, 2, 4)
    assert reply.batch_ended_by == "most" if reply.batch_size == 4 else reply.batch_ended_by


@pytest.mark.parametrize(
    ("model", "args", "expected"),
    [("no_such_model", {}, "ConfigError"), ("lsnet_nano", {"no_such_option": 1}, "OptionError")],
)
def test_a_model_that_cannot_be_built_is_an_answer(model, args, expected, small_request):
    subject = TimedModel(model=model, model_args=args)
    found = answer(small_request.model_copy(update={"subject": subject}))
    assert found["error"] == expected
    assert "no_such" in found["message"]


@pytest.mark.parametrize("error", [MemoryError("full"), torch.OutOfMemoryError("full\nof much")])
def test_memory_that_runs_out_is_called_by_one_name(error, small_request, monkeypatch):
    def fail(request):
        raise error

    monkeypatch.setattr("lsbench.timing.measure.measure", fail)
    assert answer(small_request) == {"error": "oom", "message": "full"}


def test_code_that_leaves_the_process_is_an_answer(small_request, monkeypatch):
    monkeypatch.setattr("lsbench.timing.measure.measure", lambda request: sys.exit(3))
    assert answer(small_request) == {"error": "SystemExit", "message": "3"}


def test_beside_a_gpu_others_may_use_half_of_the_cpus(small_request, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 32)
    assert _most_other_cpus(small_request) == 0.25
    assert _most_other_cpus(small_request.model_copy(update={"device": "cuda"})) == 16
