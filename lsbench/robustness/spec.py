"""The settings of a robustness job, and the facets that its values share.

The planning half reads this module, so it imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lsbench.core.facets import Facets, Scalar, drawn_by
from lsbench.core.job import Job, ShownSize, Variant
from lsbench.core.registry import DATASETS
from lsbench.corruptions import BENCHMARK, NAMES, SEVERITIES, check_condition, in_order
from lsbench.data.dataset import corrupted_size
from lsbench.engine.evaluation import Preprocess, PreprocessSpec
from lsbench.engine.runtime_spec import RuntimeSpec
from lsbench.robustness.errors import Condition
from lsbench.robustness.reference import Reference

#: Settings that only apply to live corruption; and those that only apply to files.
LIVE_ALONE, FILES_ALONE = frozenset({"family", "jpeg_quality"}), frozenset({"files"})
#: Severities of spatter above this one are mud.
LAST_WATER = 3
#: The parts of the preprocessing that corrupted images leave open.
NORMALISE = ("mean", "std")


class RobustnessSpec(RuntimeSpec, PreprocessSpec):
    """Settings of a robustness job."""

    data_fields: ClassVar[tuple[str, ...]] = ("files",)

    protocol: Literal["live", "files"] = Field(
        default="live", description="corrupt the variant's own images, or read published corrupted files"
    )
    corruptions: tuple[str, ...] = Field(
        default=BENCHMARK, min_length=1, description="mCE needs all 15 corruptions of the benchmark"
    )
    severities: tuple[int, ...] = Field(
        default=SEVERITIES, min_length=1, description="from 1 (weak) to 5 (strong)"
    )
    family: Literal["original", "imagecorruptions"] = Field(
        default="original", description="live: as in the published files, or as in the package"
    )
    jpeg_quality: int | None = Field(
        default=85, ge=1, le=100, description="live: quality of the JPEG file that views go through"
    )
    subset: int | None = Field(
        default=None, ge=1, description="image count; evenly spaced so that each class keeps its share"
    )
    split: Literal["train", "val", "test"] = Field(
        default="test", description="split of the data set that is used"
    )
    files: str | dict[str, Any] = Field(
        default="imagenet_c",
        description="files: the data set of the corrupted files, a name or a mapping with `name` and options",
    )

    @field_validator("corruptions")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            check_condition(name, SEVERITIES[0])
        return _each_once(value)

    @field_validator("severities")
    @classmethod
    def _are_severities(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        for severity in value:
            check_condition(BENCHMARK[0], severity)
        return _each_once(value)

    @model_validator(mode="after")
    def _is_of_other_images(self) -> Self:
        self.check_split(self.split)
        return self

    @field_validator("preprocess")
    @classmethod
    def _has_the_benchmarks_crop(cls, value: Any) -> Any:
        if isinstance(value, Preprocess) and (
            wrong := [name for name in value.given if name not in NORMALISE]
        ):
            raise ValueError(f"corrupted images have the crop of the benchmark: leave {wrong[0]} out")
        return value

    @classmethod
    def identity_of(cls, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings that can change the result, without those of the other protocol."""
        unused = FILES_ALONE if spec["protocol"] == "live" else LIVE_ALONE
        return {name: value for name, value in super().identity_of(spec).items() if name not in unused}

    @classmethod
    def identity_beside(cls, job: Job) -> dict[str, Any]:
        """Return the preprocessing, and the size of the images where it is not the variant's own."""
        size = cls.model_validate(job.spec).size_of(job.variant)
        fixed = {} if size == job.variant.dataset["img_size"] else {"size": size}
        return {**super().identity_beside(job), **fixed}

    def size_of(self, variant: Variant) -> int:
        """Return the side in pixels of the square that the model of a variant sees.

        That of the benchmark, whatever size the model is for; the variant's own on data without a benchmark.
        """
        data = next(iter(self.other_data()), variant.dataset)
        return corrupted_size(DATASETS.load(data["name"])) or int(variant.dataset["img_size"])

    def shown(self, variant: Variant) -> ShownSize:
        """Return the size of the benchmark; named weights are loaded into a model that is built for it."""
        size, is_named = self.size_of(variant), self.has_named_weights(variant)
        return ShownSize(size, size if is_named else int(variant.dataset["img_size"]), is_named)

    def other_way(self, shown: ShownSize) -> str:
        """Return what to do if a model cannot run on images of the benchmark."""
        return f"corrupted images have {shown.size} px for every row: leave the row out"

    def own_splits(self) -> tuple[str, ...]:
        """Return the split of the clean images, and that of calibration; conditions of files may lack."""
        return (self.split, *self.calibration_splits())

    def other_data(self) -> tuple[dict[str, Any], ...]:
        """Return the settings of the data set of corrupted files, if files are read."""
        return () if self.protocol == "live" else super().other_data()

    @property
    def mud(self) -> dict[str, Scalar]:
        """What values with the mud of the published benchmark name: those of before added it in doubles."""
        has_mud = "spatter" in self.corruptions and max(self.severities) > LAST_WATER
        return {"mud": "float32"} if has_mud and self.family == "original" and self.protocol == "live" else {}

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All conditions to be measured, corruption by corruption."""
        return tuple((name, severity) for name in self.corruptions for severity in self.severities)


def _each_once(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if twice := [name for name in value if value.count(name) > 1]:
        raise ValueError(f"expected each once, found {twice[0]!r} twice; leave one out")
    return value


def corruption_facets(
    spec: RobustnessSpec,
    variant: Variant,
    *,
    res: int | None,
    crop: int | None,
    reference: Reference | None,
    images: int,
    limit: int | None,
    version: int,
) -> Facets:
    """Return the facets of the values over all conditions.

    Args:
        spec: The job's settings.
        variant: The variant that is tested.
        res: Side of the images, or of their shorter side after resizing, in pixels; None if not resized.
        crop: Side of the square crop that the model sees, in pixels; None if nothing is cropped.
        reference: The reference that errors are divided by.
        images: Image count of each condition.
        limit: The job's limit of batches.
        version: Version of the job kind.
    """
    [*published] = spec.other_data()
    name = published[0]["name"].replace("_", "-") if published else f"{variant.dataset['name']}-c"
    made = {} if published else {"family": spec.family, "jpeg_quality": spec.jpeg_quality}
    return Facets(
        method=f"{name}-{spec.protocol}",
        **which_corruptions(spec.corruptions),
        severities=number_or_each(spec.severities),
        res=res,
        crop=crop,
        **made,
        reference="none" if reference is None else reference.name,
        n=images,
        drawn=drawn_by(limit),
        split=spec.split,
        weights=spec.weights,
        version=str(version),
    )


def which_corruptions(corruptions: tuple[str, ...]) -> dict[str, Any]:
    """Return the facets that name the corruptions; lsbench's own are given by number if complete.

    >>> which_corruptions(BENCHMARK)
    {'corruptions': 15, 'outside_corruptions': None}
    >>> which_corruptions(("acme_haze", "snow", "fog"))
    {'corruptions': ('snow', 'fog'), 'outside_corruptions': ('acme_haze',)}
    """
    ordered = in_order(corruptions)
    own = tuple(name for name in ordered if name in NAMES)
    is_whole = set(own) in (set(BENCHMARK), set(NAMES))
    outside = tuple(name for name in ordered if name not in NAMES)
    return {"corruptions": len(own) if is_whole else own, "outside_corruptions": outside or None}


def number_or_each(severities: tuple[int, ...]) -> int | tuple[int, ...]:
    """Return the facet that names the severities: their number if they are all.

    >>> number_or_each((5, 4, 3, 2, 1)), number_or_each((3, 1))
    (5, (1, 3))
    """
    return len(severities) if set(severities) == set(SEVERITIES) else tuple(sorted(severities))
