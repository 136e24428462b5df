"""Measure what a variant costs: parameters, MACs, latency and throughput."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import Field, field_validator

from lsbench.core.job import JobContext, JobKind, JobSpec, Resources
from lsbench.core.record import Record
from lsbench.core.registry import PROBES


class ProfileSpec(JobSpec):
    """Settings of a profile; it runs once per variant, since cost does not depend on the seed."""

    probes: tuple[str, ...] = Field(default=("params", "macs", "latency", "throughput"), min_length=1)
    batch_size: int = Field(default=64, ge=1, description="images per batch of the throughput probe")
    warmup: int = Field(default=10, ge=1, description="untimed repeats")
    repeats: int = Field(default=50, ge=6, description="timed repeats")
    channels_last: bool = False

    @field_validator("probes")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        PROBES.check(value)
        return value


def run(context: JobContext) -> Sequence[Record]:
    """Run the probes one after another on a model with fresh weights."""
    from lsbench.engine.classify import create_variant, dataset_of

    _, dataset = dataset_of(context)
    model = create_variant(context).to(context.device).eval()
    records: list[Record] = []
    for number, name in enumerate(context.spec.probes):
        context.emit({"ev": "step", "step": number, "steps": len(context.spec.probes), "what": name})
        records += PROBES.load(name)(model, dataset.img_size, context)
    return records


def cost(spec: ProfileSpec, macs: float, images: Callable[[str], int]) -> float:
    """Return the estimated MACs of a profile."""
    return macs * (spec.warmup + spec.repeats) * (1 + spec.batch_size)


JOB = JobKind(
    spec=ProfileSpec,
    run=run,
    version=1,
    cost=cost,
    per_seed=False,
    uses_data=False,
    resources=Resources(num_gpus="auto", exclusive="device", timeout_min=60),
)
