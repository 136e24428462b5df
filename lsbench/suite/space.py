"""The section `search` of a suite: space of settings, metric, budget and algorithm."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lsbench.core.spec import MAX_INT, StrictModel

Mode = Literal["max", "min"]


class Dimension(StrictModel):
    """The values of one setting: exactly one of these.

    Attributes:
        uniform: Any number from low to high.
        log_uniform: Any number from low to high, with a uniform logarithm: for rates.
        int_uniform: Any whole number from low to high, both included.
        choice: One of the values listed.
    """

    uniform: tuple[float, float] | None = None
    log_uniform: tuple[float, float] | None = None
    int_uniform: tuple[int, int] | None = None
    choice: list[Any] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _is_one_range(self) -> Dimension:
        given = self.model_dump(exclude_none=True)
        if len(given) != 1:
            raise ValueError("expected exactly one of uniform, log_uniform, int_uniform, choice")
        kind, values = next(iter(given.items()))
        if kind != "choice" and not values[0] < values[1]:
            raise ValueError(f"{kind}: expected [low, high] with low < high, found {list(values)}")
        if kind == "log_uniform" and values[0] <= 0:
            raise ValueError(f"log_uniform: expected numbers above 0, found {list(values)}")
        return self

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The lowest and highest value; None for a choice."""
        return self.uniform or self.log_uniform or self.int_uniform

    @property
    def size(self) -> int | None:
        """The number of distinct values; None if infinite."""
        if self.choice is not None:
            return len({repr(value) for value in self.choice})
        return None if self.int_uniform is None else self.int_uniform[1] - self.int_uniform[0] + 1

    def samples_to_check(self) -> list[Any]:
        """Return the values to validate: all values of a choice, or both bounds."""
        return list(self.choice if self.choice is not None else self.bounds or ())

    def settle(self, value: Any) -> Any:
        """Return a sampled value as used and stored: in range, with four significant digits.

        >>> Dimension(log_uniform=(1e-4, 1e-2)).settle(0.00123456)
        0.001235
        """
        if self.bounds is None:
            return value
        low, high = self.bounds
        if self.int_uniform is not None:
            return int(min(max(round(value), low), high))
        return min(max(float(f"{float(value):.4g}"), low), high)


class TrialBudget(StrictModel):
    """The budget for each variant; the same for all, so that all are tuned fairly."""

    trials: int = Field(ge=1, description="trainings per variant, each of at most the job's `epochs`")


class Asha(StrictModel):
    """Asynchronous successive halving (Li et al., 2018, arXiv:1810.05934) on randomly drawn settings.

    Attributes:
        grace_epochs: Epochs before a trial can be stopped.
        reduction_factor: About one in this many trials continues at each rung; rungs are this factor apart.
    """

    name: Literal["asha"] = "asha"
    grace_epochs: int = Field(default=1, ge=1)
    reduction_factor: float = Field(default=3, gt=1)


class Pbt(StrictModel):
    """Population based training (Jaderberg et al., 2017, arXiv:1711.09846): all trials train to the end.

    Attributes:
        every_epochs: Epochs between two exchanges, in which the worst trials copy the best.
        quantile: Share of the population that counts as worst, and as best.
        resample: Probability of drawing a setting anew, instead of changing it by a fifth.
    """

    name: Literal["pbt"] = "pbt"
    every_epochs: int = Field(default=1, ge=1)
    quantile: float = Field(default=0.25, gt=0, le=0.5)
    resample: float = Field(default=0.25, ge=0, le=1)


class Tpe(StrictModel):
    """Optuna's tree-structured Parzen estimator (Bergstra et al., 2011); trials train to the end."""

    name: Literal["tpe"] = "tpe"


ALGORITHMS: dict[str, type[Asha | Pbt | Tpe]] = {"asha": Asha, "pbt": Pbt, "tpe": Tpe}


class SearchEntry(StrictModel):
    """The section `search` as written in a suite file."""

    job: str | None = Field(default=None, description="job whose settings are searched; default: training")
    space: dict[str, Dimension] = Field(
        min_length=1, description="setting of the job -> its values; a dotted name addresses a nested setting"
    )
    metric: str = Field(default="val_top1", description="metric that judges a trial after each epoch")
    mode: Mode | None = Field(default=None, description="default: the direction of the metric")
    budget: TrialBudget = Field(description="budget of each variant")
    algorithm: str | dict[str, Any] = Field(
        default="asha", description="asha, pbt or tpe, or a mapping with `name` and its options"
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=MAX_INT,
        description="seed for drawing settings; trainings use the suite's first seed",
    )


class Search(StrictModel):
    """A search as resolved.

    Attributes:
        job: Name of the job whose settings are searched.
        epochs: Epochs of a full trial.
    """

    job: str
    space: dict[str, Dimension]
    metric: str
    mode: Mode
    trials: int
    epochs: int
    algorithm: Annotated[Asha | Pbt | Tpe, Field(discriminator="name")]
    seed: int

    @property
    def is_early_stopping(self) -> bool:
        """True if bad trials are stopped before their last epoch."""
        return isinstance(self.algorithm, Asha)

    @property
    def shares_training(self) -> bool:
        """True if trials copy each other's weights, so that no fixed settings explain a result."""
        return isinstance(self.algorithm, Pbt)

    def is_better(self, value: float, than: float) -> bool:
        """Return whether `value` of the metric is better than `than`."""
        return value > than if self.mode == "max" else value < than
