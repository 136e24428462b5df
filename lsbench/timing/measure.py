"""The work of the process of one timing: a request is answered by a reply.

The process does nothing else before or after, so no other measurement leaves anything in memory, in a cache
or on the device.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from lsbench.timing.request import Reply, Request, Tf32

MOST_IMAGES = 4096
MIB = 2**20
#: Runtimes whose products torch computes, so that its settings of TF32 hold for them.
OF_TORCH = ("eager", "compile", "aot")


def measure(request: Request) -> Reply:
    """Return the reply to a request; this process must not have run anything before."""
    import torch

    torch.set_num_threads(request.setting.threads)
    torch.backends.cudnn.benchmark = True
    base_mib = psutil.Process().memory_info().rss / MIB
    on_gpu = request.device == "cuda"
    if request.action == "build":
        from lsbench.timing.building import build

        return Reply(built=build(request))
    with torch.inference_mode():
        reply = _fit(request) if request.action == "fit" else _time(request)
    is_torch = request.setting.runtime in OF_TORCH
    return reply.model_copy(
        update={
            "device_model": torch.cuda.get_device_name() if on_gpu else None,
            "tf32": tf32_products() if on_gpu and is_torch and request.setting.precision == "fp32" else None,
            # The kernel updates its peak counter only now and then: it can lag behind the current use.
            "peak_memory_mib": max(peak_memory_mib(), base_mib),
            "base_memory_mib": base_mib,
            "peak_device_memory_mib": torch.cuda.max_memory_allocated() / MIB if on_gpu else None,
        }
    )


def _fit(request: Request) -> Reply:
    from lsbench.timing.fitting import find_batch
    from lsbench.timing.passes import create_subject

    model = create_subject(request.subject, request)
    found = find_batch(model, request, most=MOST_IMAGES, free_bytes=lambda: psutil.virtual_memory().available)
    return Reply(batch_size=found.batch_size, batch_ended_by=found.ended_by)


def _time(request: Request) -> Reply:
    import torch

    from lsbench.timing.passes import create_images, create_pass, create_subject, norms_left, runtime_of
    from lsbench.timing.session import Session
    from lsbench.timing.watch import Watch

    setting = request.setting
    images = create_images(request.batch_size, request.img_size, setting, request.device)
    subjects = [subject for subject in (request.subject, request.control) if subject is not None]
    runtime, form = runtime_of(setting), setting.form(request.device)
    models = [create_subject(subject, request) for subject in subjects] if runtime.runs_code else []
    runs: list[Any] = [*models, *(runtime.load(Path(folder), form) for folder in request.programs)]
    passes = [create_pass(run, images, setting) for run in runs]
    on_gpu = request.device == "cuda"
    gpu = _gpu() if on_gpu else None
    watch = Watch(_host(), gpu, max_other_cpus=_most_other_cpus(request))
    left = norms_left(models)
    gc.collect()
    gc.disable()
    forget = torch.cuda.reset_peak_memory_stats if on_gpu else lambda: None
    reply = Session(passes, request.budget, watch, time.perf_counter, on_warm=forget).run()
    return reply.model_copy(update={"unfused_norms": left})


def _host() -> Any:
    from lsbench.timing.host_load import HostLoad

    return HostLoad()


def _gpu() -> Any:
    import torch

    from lsbench.timing.gpu_state import open_gpu

    return open_gpu(f"GPU-{torch.cuda.get_device_properties(0).uuid}")


def _most_other_cpus(request: Request) -> float:
    """Return the CPUs that others may use; beside a GPU the CPU only launches, so half of them do no harm."""
    own = request.budget.max_other_cpus
    return max(own, (os.cpu_count() or 1) / 2) if request.device == "cuda" else own


def tf32_products() -> Tf32:
    """Return which products of fp32 numbers a GPU may compute in TF32."""
    import torch

    if os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":
        return "off"
    in_conv, in_matmul = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    if in_conv and in_matmul:
        return "on"
    return "conv" if in_conv else "matmul" if in_matmul else "off"


def peak_memory_mib() -> float:
    """Return this process' peak memory so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB


def answer(request: Request) -> dict[str, Any]:
    """Return the reply to a request as JSON values, or ``{"error": ..., "message": ...}``."""
    try:
        return measure(request).model_dump(mode="json")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's mixer may raise anything
        is_oom = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
        lines = str(error).strip().splitlines() or [""]
        return {"error": "oom" if is_oom else type(error).__name__, "message": lines[0]}
