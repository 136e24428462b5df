"""The request and the reply of one timing: JSON between a job's process and the one that measures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import Field

from lsbench.core.spec import StrictModel
from lsbench.detection.settings import Task
from lsbench.runtimes import Form, Quantisation
from lsbench.timing.image_size import ImageSize

Precision = Literal["fp32", "bf16", "fp16", "int8"]
BatchEnd = Literal["throughput", "time", "memory", "most"]
"""Why the search for the largest batch ended: no faster, time spent, memory used up, none larger is tried."""

Tf32 = Literal["off", "conv", "matmul", "on"]


class TimedModel(StrictModel):
    """A model as a suite names it."""

    model: str = Field(description="see `lsbench list models`")
    mixer: str | None = Field(default=None, description="token mixer, for models that take one")
    mixer_args: dict[str, Any] = Field(default_factory=dict, description="arguments of the mixer")
    model_args: dict[str, Any] = Field(default_factory=dict, description="arguments of the model")


class Setting(StrictModel):
    """The form in which a model is run; every field is part of a timing's meaning."""

    precision: Precision = "fp32"
    fused: bool = False
    channels_last: bool = False
    runtime: str = "eager"
    quantisation: Quantisation = "static"
    cuda_graphs: bool = False
    threads: int = Field(default=1, ge=1)

    def form(self, device: str) -> Form:
        """Return the form in which the runtime runs the model on a device."""
        return Form(self.precision, device, self.threads, self.channels_last, self.quantisation)


class Budget(StrictModel):
    """Required precision of a timing, and its time limits.

    Attributes:
        target_noise: Half width of the median's 95 % interval over the median at which the timing ends.
        min_s: Least number of seconds to time.
        max_s: Seconds after which it ends, however noisy.
        min_samples: Least number of samples, if time allows.
        max_samples: Samples after which it ends; a pair of them has one pass of each model. None: no limit.
        max_disturbed: Fraction of disturbed samples above which a timing is inconclusive.
        max_other_cpus: CPUs that others may use during a sample.
        processes: Fresh processes that share the time: memory layout and caches vary between processes.
    """

    target_noise: float = Field(default=0.01, gt=0)
    min_s: float = Field(default=1.0, ge=0)
    max_s: float = Field(default=20.0, gt=0)
    min_samples: int = Field(default=20, ge=1)
    max_samples: int | None = Field(default=None, ge=1)
    max_disturbed: float = Field(default=0.25, ge=0, le=1)
    max_other_cpus: float = Field(default=0.25, gt=0)
    processes: int = Field(default=1, ge=1)

    def share(self) -> Budget:
        """Return the budget of each process, so that all together reach the required precision.

        >>> Budget(processes=4, min_s=4, max_s=12, min_samples=60).share().max_s
        3.0
        """
        parts = self.processes
        return self.model_copy(
            update={
                "processes": 1,
                "target_noise": self.target_noise * math.sqrt(parts),
                "min_s": self.min_s / parts,
                "max_s": self.max_s / parts,
                "min_samples": max(6, math.ceil(self.min_samples / parts)),
            }
        )


class Request(StrictModel):
    """One timing.

    Attributes:
        action: ``time`` a model, find the largest batch (``fit``), or write its program and check it
            (``build``).
        subject: The model.
        control: A second model whose passes take turns with the first one's.
        whole: The kind of detector or segmenter that is built on both; None: they are timed as they are.
        head: Sizes of its neck and head that differ from the published ones.
        seed: Seed of the weights.
        img_size: Side of square images, or height and width, pixels.
        batch_size: Images of one pass; ignored by ``fit``.
        device: ``"cpu"`` or ``"cuda"`` (the first visible device).
        programs: The folder of the program of the model, and of the control's, where the runtime runs those;
            ``build`` writes into the first.
        images: File of real images for ``build``, see :func:`lsbench.timing.building.build`.
        calibration: File of images of the training split that fix the ranges of int8; for ``build``.
    """

    action: Literal["time", "fit", "build"] = "time"
    subject: TimedModel
    control: TimedModel | None = None
    whole: Task | None = None
    head: dict[str, Any] = Field(default_factory=dict)
    seed: int
    num_classes: int
    img_size: ImageSize
    batch_size: int = Field(ge=1)
    device: str
    setting: Setting
    budget: Budget
    programs: tuple[str, ...] = ()
    images: str | None = None
    calibration: str | None = None


class Built(StrictModel):
    """A model in a runtime, compared with the same weights in PyTorch, in float32 and not fused.

    Attributes:
        seconds: Step -> its seconds, such as ``export``, ``load`` and ``first pass``: none of them is timed.
        difference: Largest difference of a logit, as a part of the largest logit; None: not a number.
        agreement: Share of the images whose most likely class is the same.
        images: Image count.
        unfused_norms: As in :class:`Reply`.
    """

    seconds: dict[str, float]
    difference: float | None
    agreement: float
    images: int
    unfused_norms: int | None = None


class WarmUp(StrictModel):
    """The result of a warm-up: passes and seconds, and whether it ended because the passes were steady."""

    passes: int
    seconds: float
    is_steady: bool


class Reply(StrictModel):
    """The result of a timing.

    Attributes:
        seconds: Seconds per pass of each sample, in the order of time.
        control_seconds: The control's seconds in the same pair; empty without a control.
        is_disturbed: Whether others used part of the machine during the sample.
        disturbed_by: Reason -> number of samples that it disturbed.
        stopped_by: ``noise`` (precise enough), ``time``, or ``samples`` (the maximum was reached).
        warm_up: One for each model.
        passes: Passes of the timed part, including those between samples that were not timed.
        peak_memory_mib: Peak memory of the process.
        base_memory_mib: Its memory before the model was created.
        peak_device_memory_mib: Peak device memory allocated by torch after the warm-up, in which tuners and
            compilers allocate for themselves; None on the CPU.
        energy_j: Energy that the device used during the timed part; None if the machine cannot report it.
        conditions: Observed state of the machine, for display.
        batch_size: The largest batch that fits; only for ``fit``.
        batch_ended_by: Why it is not larger; only for ``fit``.
        unfused_norms: Batch normalisations left in the fused models, see
            :func:`lsbench.models.fusion.unfused_norms`; None if none was folded or left pair by pair.
        device_model: Name of the GPU; None on the CPU.
        tf32: As in :class:`lsbench.core.facets.Facets`.
        built: Result of ``build``.
    """

    seconds: list[float] = Field(default_factory=list)
    control_seconds: list[float] = Field(default_factory=list)
    is_disturbed: list[bool] = Field(default_factory=list)
    disturbed_by: dict[str, int] = Field(default_factory=dict)
    stopped_by: Literal["noise", "time", "samples"] = "time"
    warm_up: list[WarmUp] = Field(default_factory=list)
    passes: int = 0
    peak_memory_mib: float | None = None
    base_memory_mib: float | None = None
    peak_device_memory_mib: float | None = None
    energy_j: float | None = None
    conditions: dict[str, Any] = Field(default_factory=dict)
    batch_size: int | None = None
    batch_ended_by: BatchEnd | None = None
    unfused_norms: int | None = None
    device_model: str | None = None
    tf32: Tf32 | None = None
    built: Built | None = None


def joined(replies: Sequence[Reply]) -> Reply:
    """Return the replies of several processes as one: samples in sequence, peak memory as the maximum.

    Args:
        replies: At least one, in the order of time.
    """
    if len(replies) == 1:
        return replies[0]
    energies = [reply.energy_j for reply in replies if reply.energy_j is not None]
    return Reply(
        seconds=[value for reply in replies for value in reply.seconds],
        control_seconds=[value for reply in replies for value in reply.control_seconds],
        is_disturbed=[mark for reply in replies for mark in reply.is_disturbed],
        disturbed_by=dict(sum((Counter(reply.disturbed_by) for reply in replies), Counter())),
        stopped_by="noise" if all(reply.stopped_by == "noise" for reply in replies) else "time",
        warm_up=[warm for reply in replies for warm in reply.warm_up],
        passes=sum(reply.passes for reply in replies),
        peak_memory_mib=_most(reply.peak_memory_mib for reply in replies),
        base_memory_mib=_most(reply.base_memory_mib for reply in replies),
        peak_device_memory_mib=_most(reply.peak_device_memory_mib for reply in replies),
        energy_j=sum(energies) if len(energies) == len(replies) else None,
        conditions={"processes": [reply.conditions for reply in replies]},
        unfused_norms=replies[0].unfused_norms,
        device_model=replies[0].device_model,
        tf32=replies[0].tf32,
    )


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
