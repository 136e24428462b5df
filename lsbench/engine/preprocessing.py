"""The preprocessing of a job's images: of the weights, of the data set, or as the suite sets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsbench.core.checkpoint_kinds import cfg_in
from lsbench.core.errors import ConfigError
from lsbench.core.job import Job, JobContext
from lsbench.core.model_sources import pinned
from lsbench.core.weight_sources import CHECKPOINT
from lsbench.data.dataset import Rgb
from lsbench.data.loading.preprocessing import Preprocessing
from lsbench.engine.evaluation import PreprocessSpec
from lsbench.engine.open_data import OpenData
from lsbench.models.weights_cfg import data_config


@dataclass(frozen=True)
class JobImages:
    """How a job makes a model's input of the images of a data set.

    Attributes:
        chosen: The preprocessing; None: the data set's own way.
        own: The data set's own way, as far as a preprocessing can tell it.
        whose: The facet `preprocess`; None: of the data set.
    """

    chosen: Preprocessing | None
    own: Preprocessing
    whose: str | None = None

    @property
    def used(self) -> Preprocessing:
        """The preprocessing of the images."""
        return self.chosen or self.own

    @property
    def mean(self) -> Rgb:
        """Per-channel mean of the normalisation."""
        return self.used.mean

    @property
    def std(self) -> Rgb:
        """Per-channel standard deviation of the normalisation."""
        return self.used.std

    @property
    def facets(self) -> dict[str, Any]:
        """The facets that name size, crop, interpolation and normalisation; of a data set's own, the size."""
        if self.chosen is None:
            return {"res": self.own.img_size}
        is_centred = self.chosen.crop_mode == "center"
        return {
            "preprocess": self.whose,
            "res": self.chosen.img_size,
            "crop_pct": self.chosen.crop_pct,
            "crop_mode": None if is_centred else self.chosen.crop_mode,
            "interpolation": self.chosen.interpolation,
            "normalisation": self.chosen.normalisation,
        }

    @property
    def normalisation_facets(self) -> dict[str, Any]:
        """The facets of images with a crop of their own, of which only the normalisation is chosen."""
        if self.chosen is None:
            return {}
        return {"preprocess": self.whose, "normalisation": self.chosen.normalisation}


def images_of(context: JobContext, data: OpenData, *, img_size: int | None = None) -> JobImages:
    """Return how the images of a job are made.

    Args:
        context: The job; its settings say which weights are tested.
        data: The data set that is read.
        img_size: Size that the settings give the data set, which the weights do not change.

    Raises:
        ConfigError: If the weights want images that are not square and RGB.
    """
    spec: PreprocessSpec = context.spec
    whose, given = spec.preprocessing_of(context.job.variant)
    own = Preprocessing.of_data(data.folders, data.img_size)
    if whose == "dataset":
        return JobImages(own.with_config(_config(given)) if given else None, own)
    given = {**({} if img_size is None else {"input_size": img_size}), **given}
    name = context.job.variant.model
    try:
        chosen = own.with_config({**_config_of_weights(context.job), **_config(given)})
    except ValueError as error:
        raise ConfigError(
            f"{context.job.label}: the weights of '{name}' want other images: {error}; "
            "give `preprocess: {input_size: ...}`"
        ) from error
    return JobImages(chosen, own, "+".join(["model", *(_part(*part) for part in sorted(given.items()))]))


def size_of_weights(job: Job) -> int | None:
    """Return the side in pixels of the images that the published weights of a variant are evaluated on.

    None: the variant names no weights with a cfg, so that its images have the size of its data set.
    """
    whose, _ = PreprocessSpec(weights="pretrained").preprocessing_of(job.variant)
    size = _config_of_weights(job).get("input_size") if whose == "model" else None
    return None if size is None else int(size[-1])


def _config_of_weights(job: Job) -> dict[str, Any]:
    """Return what the weights of a job's variant say of their images, as timm's config has it."""
    held = cfg_in(str(job.variant.model_args.get(CHECKPOINT, "")))
    return data_config(pinned(job.variant.model, job.contents), held)


def _config(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parts of a preprocessing as timm's config has them."""
    size = given.get("input_size")
    return {**given, **({} if size is None else {"input_size": (3, size, size)})}


def _part(name: str, value: Any) -> str:
    """Return a part that the suite sets, as it stands in a protocol.

    >>> _part("crop_pct", 0.95), _part("mean", [0.5, 0.5, 0.5])
    ('crop_pct=0.95', 'mean=0.5/0.5/0.5')
    """
    values = value if isinstance(value, list | tuple) else [value]
    return f"{name}=" + "/".join(f"{one:g}" if isinstance(one, float) else str(one) for one in values)
