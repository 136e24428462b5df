"""One pass of a model in the requested form, timed on its device; this module imports torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from lsbench.core.catalog import WEIGHTS
from lsbench.core.errors import ConfigError
from lsbench.detection.settings import Task, parse_sizes
from lsbench.models.downstream.factory import create_downstream
from lsbench.models.factory import create_model
from lsbench.models.fusion import fuse, unfused_norms
from lsbench.models.packed_conv import pack
from lsbench.timing.image_size import ImageSize, height_and_width
from lsbench.timing.request import Request, Setting, TimedModel

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def create_subject(subject: TimedModel, request: Request) -> nn.Module:
    """Return the model in the requested form, with weights drawn from the seed."""
    torch.manual_seed(request.seed)
    model = create_timed(
        subject,
        request.whole,
        num_classes=request.num_classes,
        img_size=request.img_size,
        head=request.head,
    )
    return prepared(model.eval(), request.setting, request.device)


def create_timed(
    subject: TimedModel,
    whole: Task | None,
    *,
    num_classes: int,
    img_size: ImageSize,
    head: Mapping[str, Any] = MappingProxyType({}),
) -> nn.Module:
    """Return a model, or the detector or segmenter on it; a pass of that runs all its layers.

    Args:
        subject: The model.
        whole: Kind of the detector or segmenter; None: the model itself.
        num_classes: Classes.
        img_size: Side of square images, or height and width, pixels.
        head: Sizes of neck and head that differ from the published ones.
    """
    named: dict[str, Any] = {"mixer": subject.mixer, "mixer_args": subject.mixer_args}
    named["num_classes"] = num_classes
    if whole is None:
        side, _ = height_and_width(img_size)
        return create_model(subject.model, img_size=side, **named, **subject.model_args)
    args = {name: value for name, value in subject.model_args.items() if name not in WEIGHTS}
    return create_downstream(whole, subject.model, settings=parse_sizes(whole, head), **named, **args)


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


def create_images(batch_size: int, img_size: ImageSize, setting: Setting, device: str) -> Tensor:
    """Return a batch of noise on the device, in the form that the model takes, shape ``(B, 3, H, W)``."""
    memory_format = torch.channels_last if setting.channels_last else torch.contiguous_format
    images = torch.randn(batch_size, 3, *height_and_width(img_size))
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
