"""Test a variant on corrupted images, live or from files: mCE, and every corruption and severity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lsbench.core.facets import Facets
from lsbench.core.ids import content_hash
from lsbench.core.job import JobContext, JobKind, Resources
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record
from lsbench.robustness.spec import RobustnessSpec, corruption_facets
from lsbench.store.job_files import PREDICTIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lsbench.engine.preprocessing import JobImages
    from lsbench.robustness.opening import Opened

BLOCKS = "cells"


def run(context: JobContext) -> Sequence[Record]:
    """Predict every view of every image in one pass; return errors over all conditions and of each.

    With a limit of N batches, only images whose views fit in N batches are used, drawn evenly from the split.
    """
    import numpy as np

    from lsbench.engine.classify import checkpoint_facet, create_tested, weights_setting
    from lsbench.engine.in_runtime import calibration_images, deployed
    from lsbench.engine.open_data import open_data
    from lsbench.engine.preprocessing import images_of
    from lsbench.models.earlier_weights import conditions
    from lsbench.models.weights_digest import weights_sha256
    from lsbench.robustness.opening import open_views
    from lsbench.robustness.records import corruption_records
    from lsbench.robustness.reference import reference_of
    from lsbench.robustness.views import pixel_versions

    spec: RobustnessSpec = context.spec
    dataset = str(context.job.variant.dataset["name"])
    reference = reference_of(dataset)
    data = open_data(context)
    data.require(spec.own_splits())
    files = next((open_data(context, other) for other in spec.other_data()), None)
    if files is not None:
        files.require()
    opened = open_views(context, data, files)
    for line in opened.missing.values():
        context.emit({"ev": "warning", "message": f"{line}; its error and mCE are left out"})
    images, made = len(opened.images), images_of(context, data)
    size = spec.size_of(context.job.variant)
    model = create_tested(context, data, spec.weights, same_classes=True, img_size=size)
    setting: dict[str, Any] = {"weights_sha256": weights_sha256(model.state_dict()), **pixel_versions()}
    setting |= weights_setting(context, model)
    calibrated_as = None if made.chosen is None else made.chosen.with_config({"input_size": (3, size, size)})
    with deployed(
        context, model, size, lambda: calibration_images(spec, data, calibrated_as, img_size=size)
    ) as ran:
        predicted = _predict(context, ran.to(context.device), opened, made, setting)
    _save(context, opened, predicted)
    facets = corruption_facets(
        spec,
        context.job.variant,
        res=opened.res,
        crop=opened.crop,
        reference=reference,
        images=images,
        limit=context.job.limit,
        version=JOB.version,
    ).model_copy(
        update={
            **made.normalisation_facets,
            "checkpoint": checkpoint_facet(model, spec.weights),
            "more": conditions(model) | spec.mud,
        }
    )
    facets = spec.in_facets(facets, context.device, getattr(ran, "calibrated", None))
    if opened.missing:
        setting["missing"] = ["/".join(map(str, condition)) for condition in opened.missing]
    wrong = predicted != np.array(opened.images.targets)
    clean, *corrupted = wrong
    return corruption_records(
        clean,
        dict(zip(opened.conditions, corrupted, strict=True)),
        spec.conditions,
        reference=reference,
        facets=facets,
        dataset=dataset,
        setting=setting,
    )


def _predict(
    context: JobContext, model: Any, opened: Opened, made: JobImages, setting: dict[str, Any]
) -> NDArray[np.int16]:
    """Return the predictions of all views, shape ``(1 + conditions, N)``; finished blocks are read."""
    from lsbench.engine.classify import usable_workers
    from lsbench.robustness.blocks import PredictionBlocks, blocks_of
    from lsbench.robustness.predict import Feed, predict_views

    spec: RobustnessSpec = context.spec
    images = len(opened.images)
    source = [context.job.id, setting, opened.conditions, opened.images.paths]
    kept = PredictionBlocks(context.folder / BLOCKS, content_hash(source, length=64), opened.source.num_views)
    feed = Feed(
        batch_size=spec.batch_size,
        mean=made.mean,
        std=made.std,
        device=context.device,
        channels_last=spec.channels_last,
        num_workers=usable_workers(spec.data_workers),
    )

    def on_image(seen: int, rate: float) -> None:
        context.emit({"ev": "step", "step": seen, "steps": images, "images_per_s": round(rate, 1)})

    return predict_views(model, opened.source, blocks_of(images), kept, feed, on_image)


def _save(context: JobContext, opened: Opened, predicted: NDArray[np.int16]) -> None:
    """Write per-image results; the hash of the file list proves that two runs saw the same images."""
    import numpy as np

    from lsbench.core.atomic import atomic_write
    from lsbench.engine.distributed import current_world

    if not current_world().is_first:
        return
    names = list(opened.images.paths)
    with atomic_write(context.folder / PREDICTIONS) as file:
        np.savez_compressed(
            file,
            targets=np.array(opened.images.targets),
            clean=predicted[0],
            predictions=predicted[1:],
            cells=np.array([f"{name}/{severity}" for name, severity in opened.conditions]),
            names=np.array(names),
            images_sha256=np.array(content_hash(names, length=64)),
        )


def cost(spec: RobustnessSpec, macs: float, images: Callable[[str], int]) -> float:
    """Return the estimated MACs: one pass over the images and all their views."""
    name, severity = spec.conditions[0]
    found = images(spec.split if spec.protocol == "live" else f"{name}/{severity}")
    return macs * (1 + len(spec.conditions)) * (found if spec.subset is None else min(found, spec.subset))


#: A mean over corruptions is withheld if a part of it is missing.
_WITHHELD: dict[str, Any] = {"is_headline": True, "hole": "withheld"}
QUANTITIES = (
    Quantity(
        "mce",
        "ratio",
        False,
        "mCE (reference = 100)",
        100.0,
        short_title="mCE",
        is_compared=True,
        tolerance=0.01,
        published_under=Facets(
            method="imagenet-c-files", corruptions=15, severities=5, reference="alexnet-HD19", n=50_000
        ),
        **_WITHHELD,
    ),
    Quantity(
        "relative_mce",
        "ratio",
        False,
        "relative mCE (reference = 100)",
        100.0,
        short_title="rel. mCE",
        **_WITHHELD,
    ),
    Quantity(
        "corruption_error",
        "fraction",
        False,
        "mean corruption error (%)",
        100.0,
        short_title="corr. error (%)",
        **_WITHHELD,
    ),
    Quantity("clean_error", "fraction", False, "clean error (%)", 100.0, **_WITHHELD),
    Quantity("ce", "ratio", False, "CE (reference = 100)", 100.0, short_title="CE"),
    Quantity("relative_ce", "ratio", False, "relative CE (reference = 100)", 100.0, short_title="rel. CE"),
)

JOB = JobKind(
    spec=RobustnessSpec,
    run=run,
    version=1,
    cost=cost,
    needs=("train",),
    resources=Resources(num_gpus="auto", timeout_min=7 * 24 * 60),
    can_be_distributed=True,
    usual=("mce", "relative_mce", "corruption_error", "clean_error"),
    panel="on corrupted images",
    place=30,
)
