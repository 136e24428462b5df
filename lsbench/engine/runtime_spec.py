"""Settings of jobs that test a model in the form in which it is deployed: its runtime and its precision.

The planning half reads this module, so it imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from lsbench.core.facets import Facets
from lsbench.core.registry import METRICS, RUNTIMES
from lsbench.engine.evaluation import EvaluationSpec
from lsbench.metrics import as_metric
from lsbench.runtimes import Form, Quantisation, Runtime

#: The split whose images fix the ranges of int8 activations: never the one that is tested.
CALIBRATION_SPLIT = "train"


class RuntimeSpec(EvaluationSpec):
    """Settings of what runs the tested model.

    The model runs as it is trained in PyTorch in fp32, and fused in every other runtime or precision.
    """

    later_fields: ClassVar[frozenset[str]] = EvaluationSpec.later_fields | {
        *("runtime", "precision", "quantisation", "calibration_images", "calibration_seed")
    }

    runtime: str = Field(
        default="eager",
        description="what runs the model, see `lsbench list runtimes`; in any other than eager, and in any "
        "other precision than fp32, it is fused and compared image by image with PyTorch in fp32",
    )
    precision: Literal["fp32", "bf16", "fp16", "int8"] = Field(
        default="fp32", description="of weights and activations"
    )
    quantisation: Quantisation = Field(
        default="static",
        description="of precision int8: ranges of activations from images of the training split, or "
        "found anew in each batch",
    )
    calibration_images: int = Field(
        default=128,
        ge=1,
        le=10_000,
        description="of static quantisation: images drawn from the training split, or all of a smaller one",
    )
    calibration_seed: int = Field(default=0, ge=0, description="of static quantisation: seed of that draw")

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        if message := RUNTIMES.problem(self.runtime):
            raise ValueError(f"runtime: {message}")
        if message := self.found_runtime().cannot(self.runtime, self.precision, self.quantisation):
            raise ValueError(message)
        if self.quantisation != "static" and self.precision != "int8":
            raise ValueError("quantisation: is of `precision: int8`; leave it out")
        for name in ("calibration_images", "calibration_seed"):
            if name in self.model_fields_set and not self.calibrates and not self._is_default(name):
                raise ValueError(f"{name}: is of static quantisation to int8; leave it out")
        return self

    @classmethod
    def naming_plugins(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return all settings but the runtime of a model that runs as it is trained, which uses none."""
        is_plain = settings.get("runtime") == "eager" and settings.get("precision") == "fp32"
        return {name: value for name, value in settings.items() if not (is_plain and name == "runtime")}

    def _is_default(self, name: str) -> bool:
        return bool(getattr(self, name) == type(self).model_fields[name].default)

    def found_runtime(self) -> Runtime:
        """Return the runtime."""
        found: Runtime = RUNTIMES.load(self.runtime)
        return found

    @property
    def is_plain(self) -> bool:
        """True if the model runs as it is trained: in PyTorch, in fp32."""
        return self.runtime == "eager" and self.precision == "fp32"

    @property
    def calibrates(self) -> bool:
        """True if images of the training split fix the ranges of activations."""
        return self.form("cpu").needs_calibration

    def form(self, device: str) -> Form:
        """Return the form in which the runtime runs the model on a device."""
        return Form(self.precision, device, self.threads, self.channels_last, self.quantisation)

    def devices(self) -> tuple[str, ...]:
        """Return the kinds of devices on which the runtime can do the precision."""
        precisions = self.found_runtime().precisions
        return tuple(device for device, can in precisions.items() if self.precision in can)

    def calibration_splits(self) -> tuple[str, ...]:
        """Return the split of the variant's own data set whose images fix the ranges, if any do."""
        return (CALIBRATION_SPLIT,) if self.calibrates else ()

    def check_split(self, split: str) -> None:
        """Raise a ValueError if the tested split is the one whose images fix the ranges."""
        if split in self.calibration_splits():
            raise ValueError(
                f"split: images of '{split}' fix the ranges of int8; test on another split, or set "
                "`quantisation: dynamic`"
            )

    def in_facets(self, facets: Facets, device: str, calibrated: int | None) -> Facets:
        """Return facets with those of the runtime, unless the model runs as it is trained.

        Args:
            facets: Those of the evaluation alone.
            device: Where the model runs; another processor may round otherwise.
            calibrated: Number of images that fixed the ranges of int8, fewer than asked for of a small split;
                None if none did.
        """
        if self.is_plain:
            return facets
        is_int8, runtime = self.precision == "int8", self.found_runtime()
        told: dict[str, Any] = {
            "precision": self.precision,
            "quantisation": self.quantisation if is_int8 else None,
            # Ranges that are found anew are those of all images of a batch.
            "batch_size": self.batch_size if is_int8 and not self.calibrates else None,
            "calibrated": calibrated,
            "fused": True,
            "compiled": self.runtime == "compile" if runtime.runs_code else None,
            "device": device,
        }
        if self.runtime not in ("eager", "compile"):
            told |= {
                "runtime": self.runtime,
                "runtime_version": runtime.version(),
                "optimisation": runtime.optimisation or None,
            }
        if self.calibrates:
            told["more"] = {**facets.more, "calibration_seed": self.calibration_seed}
        return facets.model_copy(update=told)

    def check_metrics(self, metrics: tuple[str, ...]) -> None:
        """Raise a ValueError for a metric that needs gradients, which only the trained form has."""
        if self.is_plain:
            return
        attacks = [name for name in metrics if as_metric(METRICS.load(name)).attack is not None]
        if attacks:
            raise ValueError(
                f"metrics: {attacks[0]} needs gradients, which a model in {self.runtime} in {self.precision} "
                "has not; leave it out"
            )
