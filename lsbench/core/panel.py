"""One model's part of a picture: what the analyses draw side by side, and what reports read for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANDOM = "random weights"


@dataclass(frozen=True)
class ModelPanel:
    """The results of an analysis of one model, for a picture.

    Attributes:
        title: Name of the model, for display.
        arrays: The arrays of the analysis, by name.
        is_random: Whether the model has random weights.
    """

    title: str
    arrays: Mapping[str, NDArray[Any]]
    is_random: bool = False

    @property
    def label(self) -> str:
        """The title, with a word about random weights.

        >>> ModelPanel("LS conv", {}, is_random=True).label
        'LS conv (random weights)'
        """
        return f"{self.title} ({RANDOM})" if self.is_random else self.title


def has_random_weights(weights: str | None, model_args: Mapping[str, Any]) -> bool:
    """Return whether a job's model has random weights: no training gives them, and no file or publisher.

    >>> has_random_weights("fresh", {}), has_random_weights("fresh", {"pretrained": True})
    (True, False)

    Args:
        weights: The job's setting `weights`.
        model_args: The arguments of the variant's model.
    """
    return weights == "fresh" and not (model_args.get("pretrained") or model_args.get("checkpoint"))
