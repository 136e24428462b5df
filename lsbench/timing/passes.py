"""One pass of a model in the requested form, timed on its device; this module imports torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from lsbench.core.catalog import WEIGHTS
from lsbench.core.errors import ConfigError
from lsbench.core.registry import RUNTIMES
from lsbench.detection.settings import Task, parse_sizes
from lsbench.models.downstream.factory import create_downstream
from lsbench.models.factory import create_model
from lsbench.models.fusion import fuse, unfused_norms
from lsbench.runtimes import Runtime
from lsbench.timing.image_size import ImageSize, height_and_width
from lsbench.timing.request import Request, Setting, TimedModel

if TYPE_CHECKING:
    from lsbench.runtimes import Run


def create_subject(subject: TimedModel, request: Request) -> nn.Module:
    """Return the model in the requested form, of a runtime that runs its code."""
    return prepared(create_plain(subject, request), request.setting, request.device)


def create_plain(subject: TimedModel, request: Request) -> nn.Module:
    """Return the model as it is trained, in evaluation mode, with weights drawn from the seed."""
    torch.manual_seed(request.seed)
    model = create_timed(
        subject,
        request.whole,
        num_classes=request.num_classes,
        img_size=request.img_size,
        head=request.head,
    )
    return model.eval()


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
    """Return a model in the form of `setting`, on `device`, of a runtime that runs its code."""
    made = fuse(model) if setting.fused else model
    return cast(nn.Module, runtime_of(setting).load(made, setting.form(device)))


def runtime_of(setting: Setting) -> Runtime:
    """Return the runtime of a setting."""
    found: Runtime = RUNTIMES.load(setting.runtime)
    return found


def norms_left(models: Sequence[nn.Module]) -> int | None:
    """Return the batch normalisations left in all of the models, or None if none was folded pair by pair."""
    found = [left for model in models if (left := unfused_norms(model)) is not None]
    return sum(found) if found else None


def create_images(batch_size: int, img_size: ImageSize, setting: Setting, device: str) -> Tensor:
    """Return a batch of noise, in the form that the runtime takes, shape ``(B, 3, H, W)``."""
    images = torch.randn(batch_size, 3, *height_and_width(img_size))
    return runtime_of(setting).takes(images, setting.form(device))


def create_pass(model: Run, images: Tensor, setting: Setting) -> Callable[[], float]:
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


def _captured(model: Run, images: Tensor) -> Callable[[], object]:
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
