"""The finished training among jobs: the one whose weights are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lsbench.core.errors import UsageError
from lsbench.store.job_files import EMA, WEIGHTS
from lsbench.store.owned import brought
from lsbench.tables.columns import job_kind
from lsbench.tables.job_changes import KnownJob


def only_training(asked: str, jobs: Sequence[KnownJob], *, with_wholes: bool = False) -> KnownJob:
    """Return the only one of `jobs` that is a training, which must be finished.

    Args:
        asked: The words of the user, for messages.
        jobs: Jobs of a variant, or a single one.
        with_wholes: Whether detectors and segmenters are wanted too, not classifiers alone.

    Raises:
        UsageError: If none of them is, several are, it has no weights, or those are of earlier code.
    """
    trainings = [one for one in jobs if _trains(one) and (with_wholes or not _is_whole(one))]
    if len(trainings) > 1:
        named = ", ".join(f"{one.label} ({one.id or 'no id yet'})" for one in trainings)
        raise UsageError(f"{asked}: {len(trainings)} trainings, choose one: {named}")
    if not trainings and not with_wholes and any(map(_is_whole, jobs)):
        raise UsageError(f"{asked}: expected the training of a classifier, found a detector or segmenter")
    if not trainings:
        first = jobs[0]
        needed = ", ".join(str(need) for need in (first.job.needs.values() if first.job else ()))
        hint = f": it uses those of {needed}" if needed else ""
        raise UsageError(f"{asked}: expected a training, found a job without weights of its own{hint}")
    (found,) = trainings
    if not weights_file(found).is_file() or not found.folder.is_done(found.id) or found.due:
        raise UsageError(f"{asked}: expected a finished training with weights, found {found.state()}")
    return found


def _trains(one: KnownJob) -> bool:
    """Return whether a job leaves weights of its own once it has ended."""
    kind = one.job.kind if one.job else one.id.rpartition("-")[0]
    if one.job is not None and (known := job_kind(kind)) is not None:
        # Of detectors and segmenters some jobs test the weights of a file, or of another job.
        settings = known.spec.model_validate(one.job.spec)
        if getattr(settings, "is_trained", False):
            return True
    return kind == "train" or (bool(one.id) and weights_file(one).is_file())


def _is_whole(one: KnownJob) -> bool:
    """Return whether a job is about a detector or segmenter."""
    kind = job_kind(one.job.kind) if one.job else None
    return kind is not None and kind.task != "classification"


def weights_file(one: KnownJob, *, is_ema: bool = False) -> Path:
    """Return where the weights of a training lie: the last ones or their moving average."""
    return brought(one.folder.job_folder(one.id) / (EMA if is_ema else WEIGHTS))
