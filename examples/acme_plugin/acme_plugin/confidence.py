"""Confidence: the probability of the predicted class, image by image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lsbench.analyses import Analysis, Findings, Subject, finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

QUANTITIES = (finding("mean_confidence", "fraction", "mean confidence (%)", scale=100.0, digits=1),)


def analyse(subject: Subject) -> Findings:
    """Return the probability of the most likely class of each image."""
    import torch

    with torch.no_grad():
        found = [subject.model(images).softmax(dim=1).amax(dim=1) for images in subject.batches()]
    confidence = torch.cat(found).double().cpu().numpy()
    return Findings(arrays={"confidence": confidence}, per_image={"mean_confidence": confidence})


def draw(arrays: Mapping[str, NDArray[Any]], figure: Figure, title: str) -> None:
    """Draw a histogram of the confidence of all images."""
    axes = figure.subplots()
    axes.hist(arrays["confidence"], bins=20, range=(0, 1))
    axes.set(title=f"{title}: confidence", xlabel="probability of the predicted class", ylabel="images")


ANALYSIS = Analysis(analyse, draw, QUANTITIES)
