"""The models that jobs build, each to be tried once before the first job. No torch here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lsbench.core.job import BuiltOn, Job, JobSpec, OtherSize, ShownSize, Variant
from lsbench.core.registry import DATASETS
from lsbench.suite.parsed import ParsedJob

NAME_LENGTH = 80


def models_of(jobs: Iterable[ParsedJob]) -> list[Variant]:
    """Return the variants of jobs, and a variant for each further model that their settings name.

    One whose images have another size in a job than in its data set, or that takes other weights of its
    checkpoint there, has the variant's name. A further model,
    such as the control of a profile, is named ``<variant>.<job>.<role>``; one that a job builds on the
    variant's, such as a detector, has the variant's name, and the number of classes of its data if it has
    weights of a file.
    """
    found: dict[str, Variant] = {}
    for job, spec in jobs:
        tested = spec.tested(job.variant, is_trained=bool(job.needs))
        other = _of_other_size(tested, spec.shown(job.variant))
        is_the_row = other is None and tested is job.variant
        found[job.variant.name if is_the_row else f"{job.variant.name}/{job.name}"] = other or tested
        if (built := spec.built_on(job.variant)) is not None:
            found[f"{job.variant.name}/{job.name}"] = _with_classes(built, job, spec)
        for role, model in spec.other_models().items():
            name = f"{job.variant.name}.{job.name}.{role}"[:NAME_LENGTH]
            found[name] = Variant(name=name, dataset=job.variant.dataset, **model)
    return list(found.values())


def _with_classes(built: BuiltOn, job: Job, spec: JobSpec) -> BuiltOn:
    """Return a model with the number of classes of the job's data, if its weights must fit them."""
    if built.checkpoint is None:
        return built
    plugin, root = DATASETS.load((settings := spec.read_data(job.variant.dataset)[0])["name"]), job.data_root
    own = plugin.spec.model_validate(settings)
    count = plugin.num_classes(own, None if root is None else Path(root))
    return built.model_copy(update={"num_classes": count})


def _of_other_size(variant: Variant, shown: ShownSize | None) -> OtherSize | None:
    """Return a variant as a job builds and uses it, if its images have another size than in its data set."""
    own = variant.dataset.get("img_size")
    if shown is None or shown.size == shown.built_for == own:
        return None
    values = {name: getattr(variant, name) for name in type(variant).model_fields}
    built = {**values, "dataset": {**variant.dataset, "img_size": shown.built_for}}
    return OtherSize(**built, shown=shown.size)
