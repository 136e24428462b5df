"""Flip: the share of images on which a trained model predicts the same class for the mirrored image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from lsbench.core.facets import Facets
from lsbench.core.job import JobContext, JobKind, Resources
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record, measured
from lsbench.engine.evaluation import EvaluationSpec

QUANTITIES = (Quantity("flip_agreement", "fraction", True, "flip agreement (%)", 100.0, 1),)


class FlipSpec(EvaluationSpec):
    """Settings of the comparison."""

    split: Literal["train", "val", "test"] = "test"


def run(context: JobContext) -> Sequence[Record]:
    """Return the share of images whose predicted class survives mirroring."""
    import torch

    from lsbench.engine.classify import create_eval_batches, create_tested
    from lsbench.engine.open_data import open_data

    spec: FlipSpec = context.spec
    data = open_data(context)
    data.require([spec.split])
    model = create_tested(context, data, spec.weights).to(context.device).eval()
    batches = create_eval_batches(data, spec.split, batch_size=spec.batch_size, workers=spec.data_workers)
    same, seen = 0, 0
    with torch.no_grad():
        for images, _ in batches:
            shown = images.to(context.device)
            answers = model(shown).argmax(dim=1), model(shown.flip(-1)).argmax(dim=1)
            same, seen = same + int((answers[0] == answers[1]).sum()), seen + len(shown)
            context.emit({"ev": "step", "step": seen})
    facets = Facets(method="flip", split=spec.split, weights=spec.weights, n=seen, version=str(JOB.version))
    return [measured("flip_agreement", same / seen, facets=facets, dataset=data.name, n=seen)]


def cost(spec: FlipSpec, macs: float, images: Callable[[str], int]) -> float:
    """Return the estimated MACs: two passes over the images."""
    return 2 * macs * images(spec.split)


JOB = JobKind(
    spec=FlipSpec,
    run=run,
    version=1,
    cost=cost,
    needs=("train",),
    resources=Resources(num_gpus="auto", timeout_min=60),
)
