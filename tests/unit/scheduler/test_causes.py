"""Texts are as torch, NCCL, gloo, cuDNN and Triton write them."""

import errno
import socket

import pytest
import torch
from torch.distributed import DistBackendError, DistNetworkError, DistStoreError

from lsbench.core.errors import ConfigError, LsbenchError, MeasurementError
from lsbench.scheduler import causes
from lsbench.scheduler.causes import Held, explained, explains, how_ended, is_lost_rank, own_device, told
from lsbench.scheduler.child import describe

NCCL = (
    "NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils.cpp:94, {}, NCCL version 2.27.5\n{}: {}\n"
    "Last error:\n{}"
)
NCCL_SYSTEM = NCCL.format(
    "unhandled system error (run with NCCL_DEBUG=INFO for details)",
    "ncclSystemError",
    "System call (e.g. socket, malloc) or external library call failed or device error.",
    "socketStartConnect: Connect to 10.0.0.2<44017> failed : No route to host",
)
NCCL_SHM = NCCL.format(
    "unhandled system error",
    "ncclSystemError",
    "System call failed.",
    "Error while creating shared memory segment /dev/shm/nccl-Xk2a1T (size 9637888)",
)
NCCL_USAGE = NCCL.format(
    "invalid usage (run with NCCL_DEBUG=WARN for details)",
    "ncclInvalidUsage",
    "This usually reflects invalid usage of NCCL library.",
    "Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 1a000",
)
NCCL_REMOTE = NCCL.format(
    "remote process exited or there was a network error",
    "ncclRemoteError",
    "A call failed possibly due to a network error or a remote process exiting prematurely.",
    "socketPollConnect: Connect to 10.0.0.2<4> returned 111(Connection refused)",
)
NCCL_MEMORY = NCCL.format(
    "unhandled cuda error",
    "ncclUnhandledCudaError",
    "Call to CUDA function failed.",
    "Cuda failure 2 'out of memory'",
)
GLOO = "[enforce fail at third_party/gloo/gloo/transport/tcp/device.cc:84] ifa != nullptr. "
PEER = "[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:4"
OUT = "CUDA out of memory. Tried to allocate 84.00 GiB. GPU 0 has a total capacity of 79.15 GiB"
LOADER = (
    "DataLoader worker (pid 4711) is killed by signal: Bus error. It is possible that dataloader's workers "
    "are out of shared memory. Please try to raise your shared memory limit."
)


CPU_OUT = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
    "allocate 4503599627370496 bytes. Error code 12 (Cannot allocate memory)"
)
CASES = {
    "device_oom": [
        torch.OutOfMemoryError(OUT),
        torch.OutOfMemoryError("HIP out of memory. Tried to allocate 2 GiB"),
        torch.AcceleratorError("CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA`"),
        MemoryError(OUT),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        DistBackendError(NCCL_MEMORY),
    ],
    "oom": [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory"), RuntimeError(CPU_OUT)],
    "shared_memory": [
        RuntimeError(LOADER),
        RuntimeError(
            "unable to allocate shared memory(shm) for file </torch_9>: No space left on device (28)"
        ),
        RuntimeError("unable to write to file </torch_1_2_3>: No space left on device (28)"),
        DistBackendError(NCCL_SHM),
        MeasurementError("lsnet_t: the process that timed it was killed by SIGBUS without a reply"),
    ],
    "device_lost": [
        RuntimeError("No CUDA GPUs are available"),
        RuntimeError("CUDA error: invalid device ordinal\nCUDA kernel errors might be"),
        RuntimeError("Found no NVIDIA driver on your system. Please check that"),
        torch.AcceleratorError("CUDA error: no CUDA-capable device is detected"),
        AssertionError("Torch not compiled with CUDA enabled"),
    ],
    "device_error": [
        torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered"),
        torch.AcceleratorError("CUDA error: CUDA-capable device(s) is/are busy or unavailable"),
        RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        MeasurementError("lsnet_t: RuntimeError: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ],
    "communication": [
        DistBackendError(NCCL_SYSTEM),
        DistNetworkError("The client socket has timed out after 60000ms"),
        DistStoreError("Timed out after 1801 seconds waiting for clients. 1/2 clients joined."),
        RuntimeError("[gloo/transport/tcp/pair.cc:144] no error. Connect timeout [10.0.0.2]:3"),
    ],
    "DistBackendError": [DistBackendError(NCCL_USAGE)],
    "RuntimeError": [
        RuntimeError(f"{GLOO}Unable to find address for: eth7"),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("out of resource: shared memory, Required: 131072, Hardware limit: 101376"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
    ],
    "ConfigError": [ConfigError("nccl: no such logger")],
    "KeyError": [KeyError("gloo")],
}


@pytest.fixture(autouse=True)
def in_a_gang(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,MIG-6f")


@pytest.mark.parametrize(
    ("error", "error_class"), [(error, name) for name, errors in CASES.items() for error in errors]
)
def test_an_error_is_what_it_is(error, error_class):
    assert describe(explained(error))["error_class"] == error_class


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError(f"{GLOO}Unable to find address for: eth7"), "Unable to find address for: eth7"),
        (DistBackendError(NCCL_USAGE), "Duplicate GPU detected : rank 1 and rank 0 both on CUDA"),
        (DistBackendError(NCCL_SYSTEM), "unhandled system error"),
        (DistBackendError(NCCL_SYSTEM), "failed : No route to host"),
        (RuntimeError(LOADER), "/dev/shm"),
        (torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered"), "(GPU MIG-6f of "),
        (RuntimeError("No CUDA GPUs are available"), socket.gethostname()),
    ],
)
def test_the_message_tells_the_cause_as_it_is(error, words):
    assert words in describe(explained(error))["message"]


def test_memory_of_a_device_that_ran_out_says_what_to_change():
    whole = explained(torch.OutOfMemoryError(OUT), Held(batch_settings=("device_batch_size",)))
    assert str(whole).startswith("the device's memory ran out; lower `device_batch_size`, or")
    part = explained(torch.OutOfMemoryError(OUT), Held(0.5, ("batch_size",)))
    assert str(part).startswith("the job's share of 0.5 of the device's memory ran out; give it more by ")
    assert "num_gpus: 1" in str(part)
    assert (describe(whole)["error_class"], describe(part)["error_class"]) == ("device_oom", "share_oom")


def test_what_is_known_already_stays():
    error = LsbenchError("CUDA out of memory")
    assert explained(error) is error
    again = explained(torch.OutOfMemoryError(OUT))
    assert explained(again) is again


def test_only_errors_of_ranks_are_of_the_network(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE")
    error = RuntimeError("my own nccl wrapper is wrong")
    assert explained(error) is error


@pytest.mark.parametrize(
    ("error", "is_lost"),
    [
        (RuntimeError(PEER), True),
        (DistBackendError(NCCL_REMOTE), True),
        (DistNetworkError("failed to recv, got 0 bytes. Connection was likely closed. Did the"), True),
        (DistBackendError(NCCL_SYSTEM), False),
        (DistBackendError(NCCL_USAGE), False),
        (RuntimeError(f"{GLOO}Unable to find address for: eth7"), False),
        (RuntimeError("shapes do not match"), False),
        (ValueError("gloo: connection closed by peer"), False),
    ],
)
def test_only_an_error_that_says_so_is_the_loss_of_another_rank(error, is_lost):
    assert is_lost_rank(error) is is_lost
    assert not is_lost or explained(error) is error


def test_ends_of_ranks_tell_more_and_more():
    order = ["worker_lost", "communication", "timeout", "node_lost", "DataError"]
    assert sorted(order, key=lambda one: explains(one, was_killed=False)) == order
    killed = explains("worker_lost", was_killed=True)
    assert explains("communication", was_killed=False) < killed < explains("timeout", was_killed=False)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "ended with exit status 3"),
        (-9, "was killed by SIGKILL"),
        (-7, "was killed by SIGBUS (Bus error): /dev/shm"),
    ],
)
def test_how_a_process_ended(code, words):
    assert how_ended(code).startswith(words)


def test_shared_memory_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(causes, "SHARED_MEMORY", tmp_path / "none")
    assert "does not exist" in causes.room_in_shared_memory()


def test_an_error_without_text_has_none():
    assert told(RuntimeError()) == ""


def test_a_rank_knows_its_device_if_it_has_one(monkeypatch):
    assert own_device() == "MIG-6f"
    ecc = explained(RuntimeError("CUDA error: uncorrectable ECC error encountered"))
    assert describe(ecc)["device"] == "MIG-6f"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert own_device() is None
    assert causes.place() == socket.gethostname()


@pytest.mark.gpu
def test_memory_of_a_real_device_that_runs_out_is_told_as_such():
    with pytest.raises(torch.OutOfMemoryError) as caught:
        torch.empty(2**46, dtype=torch.uint8, device="cuda")
    assert describe(explained(caught.value))["error_class"] == "device_oom"


@pytest.mark.gpu
def test_a_real_device_that_is_not_there_is_told_as_such():
    with pytest.raises(RuntimeError) as caught:
        torch.ones(1, device="cuda:77")
    assert describe(explained(caught.value))["error_class"] == "device_lost"
