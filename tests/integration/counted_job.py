"""A job of another package that takes steps, keeps each, and goes on from the last one; it needs no torch."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence

from lsbench.core.atomic import write_json
from lsbench.core.facets import Facets
from lsbench.core.job import JobContext, JobKind, JobSpec, Resources
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record, measured

QUANTITIES = (Quantity("chain_share", "fraction", True, "share of the chain (%)", 100.0, 1),)


class CountedSpec(JobSpec):
    """Settings of the steps."""

    steps: int = 20
    pause_s: float = 0.1


def run(context: JobContext) -> Sequence[Record]:
    """Return a number that follows from all steps: one that is left out or taken twice changes it."""
    spec: CountedSpec = context.spec
    kept = context.folder / "step.json"
    state = json.loads(kept.read_text()) if kept.exists() else {"step": 0, "chain": str(context.job.seed)}
    while state["step"] < spec.steps:
        time.sleep(spec.pause_s)
        chain = hashlib.sha256(f"{context.job.label} {state}".encode()).hexdigest()
        state = {"step": state["step"] + 1, "chain": chain}
        write_json(kept, state)
        context.emit({"ev": "step", "step": state["step"], "of": spec.steps})
    (context.folder / "chain.txt").write_text(state["chain"])
    share = int(state["chain"][:12], 16) / 16**12
    return [measured("chain_share", share, facets=Facets(method="counted", version=str(JOB.version)), n=1)]


def cost(spec: CountedSpec, macs: float, images: Callable[[str], int]) -> float:
    """Return the estimated MACs of the steps, which only wait."""
    return float(spec.steps)


JOB = JobKind(
    spec=CountedSpec, run=run, version=1, cost=cost, resources=Resources(num_gpus=0, timeout_min=60)
)
