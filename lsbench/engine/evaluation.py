"""Settings shared by all jobs that test a model: its weights, its images, and the feeding of images.

The planning half reads this module, so it imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lsbench.core.catalog import size_problem, weights_size
from lsbench.core.checkpoint_kinds import cfg_in
from lsbench.core.job import Job, JobSpec, ShownSize, Variant
from lsbench.core.spec import StrictModel
from lsbench.core.weight_sources import CHECKPOINT, CHECKPOINT_WEIGHTS

Weights = Literal["last", "ema", "pretrained", "fresh"]
_Share = Annotated[float, Field(ge=0, le=1)]
_Spread = Annotated[float, Field(gt=0, le=1)]


class Preprocess(StrictModel):
    """Parts of the preprocessing that a suite sets; those left out are of the weights, or of the data set."""

    input_size: int | None = Field(default=None, ge=8, description="side of the square that the model sees")
    crop_pct: float | None = Field(
        default=None, gt=0, le=1, description="the shorter side is resized to input_size / crop_pct first"
    )
    crop_mode: Literal["center", "squash", "border"] | None = Field(default=None, description="as in timm")
    interpolation: Literal["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"] | None = Field(
        default=None, description="of the resizing"
    )
    mean: tuple[_Share, _Share, _Share] | None = Field(default=None, description="RGB, of values in [0, 1]")
    std: tuple[_Spread, _Spread, _Spread] | None = Field(default=None, description="RGB, of values in [0, 1]")

    @property
    def given(self) -> dict[str, Any]:
        """The parts that are set, as JSON values."""
        return self.model_dump(mode="json", exclude_none=True)


class WeightsSpec(JobSpec):
    """Settings of the tested weights."""

    weights: Weights = Field(
        default="last",
        description="of the training: after the last update, or the moving average; pretrained: no "
        "training, the weights named in the variant's model_args (checkpoint, or pretrained: true); fresh: "
        "no training, random weights of the seed",
    )

    @classmethod
    def needed_kinds(cls, settings: Mapping[str, Any], usual: tuple[str, ...]) -> tuple[str, ...]:
        """Return no kind for pretrained and fresh weights: no training is needed."""
        return () if settings.get("weights") in ("pretrained", "fresh") else usual

    def check_need(self, need: JobSpec) -> None:
        """Raise a ValueError if the moving average is to be tested but the training keeps none."""
        if self.weights == "ema" and getattr(need, "ema_decay", 0.0) is None:
            raise ValueError("the training keeps no moving average: set its ema_decay")

    @classmethod
    def needs_nothing(cls, settings: Mapping[str, Any], model_args: Mapping[str, Any]) -> bool:
        """Return whether the moving average may come from the variant's checkpoint instead of a training."""
        return settings.get("weights") == "ema" and CHECKPOINT in model_args

    def tested(self, variant: Variant, *, is_trained: bool) -> Variant:
        """Return a variant that takes the moving average of its checkpoint, if that is tested."""
        args = variant.model_args
        if is_trained or not self.needs_nothing({"weights": self.weights}, args):
            return variant
        return variant.model_copy(update={"model_args": {**args, CHECKPOINT_WEIGHTS: "ema"}})


class EvaluationSpec(WeightsSpec):
    """Settings of the tested weights and of feeding images to the model."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"data_workers"})
    later_fields: ClassVar[frozenset[str]] = frozenset({"weights"})

    batch_size: int = Field(default=256, ge=1, description="images per batch")
    channels_last: bool = Field(default=False, description="memory layout of images and weights")
    data_workers: int = Field(default=0, ge=0, description="loader processes; changes no result")


class PreprocessSpec(WeightsSpec):
    """Settings of the tested weights and of the preprocessing of images, for jobs that follow it."""

    preprocess: Literal["model", "dataset"] | Preprocess | None = Field(
        default=None,
        description="size, crop, interpolation and normalisation of the images. model: as in the cfg of the "
        "weights, the default for published ones; dataset: those of the data set, the default for all "
        "others; or a mapping of single parts",
    )

    @classmethod
    def identity_of(cls, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings that can change the result, but for the preprocessing."""
        return super().identity_of({name: value for name, value in spec.items() if name != "preprocess"})

    @classmethod
    def identity_beside(cls, job: Job) -> dict[str, Any]:
        """Return the preprocessing, unless it is the data set's own, which all earlier results have."""
        own = {name: job.spec[name] for name in ("weights", "preprocess") if name in job.spec}
        whose, given = PreprocessSpec(**own).preprocessing_of(job.variant)
        if whose == "dataset" and not given:
            return {}
        return {"preprocess": {"of": whose, **given} if given else whose}

    def shown(self, variant: Variant) -> ShownSize | None:
        """Return the size of the images that the variant's model sees, as far as it is known."""
        usual = variant.dataset.get("img_size")
        whose, given = self.preprocessing_of(variant)
        [*_, read] = self.read_data(variant.dataset)
        own_size = next(iter(self.other_data()), {}).get("img_size")
        size = read.get("img_size") if whose == "dataset" else own_size or _size_of_weights(variant)
        size = given.get("input_size", size)
        if usual is None or size is None:
            return None
        is_named = self.has_named_weights(variant)
        is_built_for_it = is_named and (whose == "model" or bool(given))
        return ShownSize(int(size), int(size) if is_built_for_it else int(usual), is_named)

    def has_named_weights(self, variant: Variant) -> bool:
        """Return whether weights that the variant names are tested, rather than those of a training."""
        return self.weights == "pretrained" or self.needs_nothing(
            {"weights": self.weights}, variant.model_args
        )

    def check_row(self, variant: Variant) -> None:
        """Raise a ValueError if the model cannot run on images of the size that it will see."""
        shown = self.shown(variant)
        if shown is not None and (problem := size_problem(variant.model, shown)):
            raise ValueError(f"{problem}; {self.other_way(shown)}")

    def other_way(self, shown: ShownSize) -> str:
        """Return what to do if a model cannot run on images of a size."""
        return "set `preprocess: {input_size: ...}`, or leave the row out"

    def preprocessing_of(self, variant: Variant) -> tuple[Literal["model", "dataset"], dict[str, Any]]:
        """Return whose preprocessing a variant's images get, and the parts of it that the suite sets."""
        if isinstance(self.preprocess, str):
            return self.preprocess, {}
        given = {} if self.preprocess is None else self.preprocess.given
        args, is_named = variant.model_args, self.weights == "pretrained"
        has_cfg = is_named and (
            args.get("pretrained") or (args.get(CHECKPOINT) and cfg_in(str(args[CHECKPOINT])))
        )
        return ("model" if has_cfg else "dataset"), given


def _size_of_weights(variant: Variant) -> int | None:
    """Return the side in pixels of the images that a variant's named weights are made for, if it is known."""
    held = cfg_in(str(variant.model_args.get(CHECKPOINT, ""))).get("input_size")
    return int(held[-1]) if isinstance(held, list | tuple) else weights_size(variant.model)
