"""One pass of a model in the requested form, timed on its device; this module imports torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lsbench.core.errors import ConfigError
from lsbench.models.factory import create_model
from lsbench.models.fusion import fuse, unfused_norms
from lsbench.models.packed_conv import pack
from lsbench.timing.request import Request, Setting, TimedModel

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def create_subject(subject: TimedModel, request: Request) -> nn.Module:
    """Return the model in the requested form, with weights drawn from the seed."""
    torch.manual_seed(request.seed)
    model = create_model(
        subject.model,
        mixer=subject.mixer,
        mixer_args=subject.mixer_args,
        num_classes=request.num_classes,
        img_size=request.img_size,
        **subject.model_args,
    ).eval()
    return prepared(model, request.setting, request.device)


def prepared(model: nn.Module, setting: Setting, device: str) -> nn.Module:
    """Return a model in the form of `setting`, on `device`; it is compiled on its first run, or packed."""
    made = fuse(model) if setting.fused else model
    made = made.to(device=device, dtype=DTYPES[setting.precision])
    if setting.channels_last:
        made = made.to(memory_format=torch.channels_last)
    if setting.compiled:
        compiled: Any = torch.compile(made, dynamic=False)
        return compiled  # type: ignore[no-any-return]
    return pack(made) if setting.fused else made


def norms_left(models: Sequence[nn.Module]) -> int | None:
    """Return the batch normalisations left in all of the models, or None if none was folded pair by pair."""
    found = [left for model in models if (left := unfused_norms(model)) is not None]
    return sum(found) if found else None


def create_images(batch_size: int, img_size: int, setting: Setting, device: str) -> Tensor:
    """Return a batch of noise on the device, in the form that the model takes, shape ``(B, 3, H, W)``."""
    memory_format = torch.channels_last if setting.channels_last else torch.contiguous_format
    images = torch.randn(batch_size, 3, img_size, img_size)
    return images.to(device=device, dtype=DTYPES[setting.precision]).contiguous(memory_format=memory_format)


def create_pass(model: nn.Module, images: Tensor, setting: Setting) -> Callable[[], float]:
    """Return a function that runs one pass and returns its seconds.

    On CUDA, the time is measured between two events around the pass, with the device idle before the first.

    Raises:
        ConfigError: If CUDA graphs are requested and the images are not on a GPU.
    """
    if images.device.type == "cuda":
        call = _captured(model, images) if setting.cuda_graphs else (lambda: model(images))
        return lambda: _time_on_cuda(call)
    if setting.cuda_graphs:
        raise ConfigError("cuda_graphs: expected a GPU, found a job on the CPU; remove the setting")

    def run() -> float:
        started = time.perf_counter()
        model(images)
        return time.perf_counter() - started

    return run


def _time_on_cuda(call: Callable[[], object]) -> float:
    cuda: Any = torch.cuda
    before, after = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    before.record()
    call()
    after.record()
    torch.cuda.synchronize()
    return float(before.elapsed_time(after)) / 1e3


def _captured(model: nn.Module, images: Tensor) -> Callable[[], object]:
    """Return the replay of a CUDA graph of one pass; before the capture some passes run on another stream."""
    cuda: Any = torch.cuda
    stream = cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            model(images)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        model(images)
    return graph.replay
