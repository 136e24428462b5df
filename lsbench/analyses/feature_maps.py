"""Feature maps: the output of the large-kernel perception and of the small-kernel aggregation.

Shown are the features after the perception's large depth-wise convolution and after the dynamic aggregation,
in the first stage that has them, as absolute values averaged over channels. The entropy of a map over
positions, divided by its maximum, says how evenly it is spread (1: evenly).

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, supplement, Figure 3. The numbers are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lsbench.analyses import Analysis, Findings, NotApplicableError, Subject, finding
from lsbench.analyses._maps import entropy

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import nn

    from lsbench.models.perception import LargeSmallConv

SHOWN = 4


def analyse(subject: Subject) -> Findings:
    """Return both maps of each image, shape (N, h, w), and the entropies."""
    import torch

    from lsbench.models.observation import observed

    mixer = _first_mixer(subject.model)
    lkp, ska = [], []
    # The output of the aggregation is the input of its normalisation.
    with observed({"lkp": mixer.lkp.cv2, "ska": mixer.bn}) as seen, torch.no_grad():
        for images in subject.batches():
            subject.model(images)
            lkp.append(seen["lkp"].returned.abs().mean(dim=1))
            ska.append(seen["ska"].given.abs().mean(dim=1))
    maps = {name: torch.cat(parts).double().cpu().numpy() for name, parts in (("lkp", lkp), ("ska", ska))}
    return Findings(
        arrays={**maps, "pictures": subject.pictures[:SHOWN]},
        per_image={f"{name}_map_entropy": entropy(of_image) for name, of_image in maps.items()},
    )


def _first_mixer(model: nn.Module) -> LargeSmallConv:
    from lsbench.models.observation import mixers_of
    from lsbench.models.perception import LargeSmallConv

    for _, mixer in mixers_of(model).values():
        if isinstance(mixer, LargeSmallConv):
            return mixer
    raise NotApplicableError(
        "feature_maps: no token mixer of the model has both a perception and an aggregation; take an LSNet "
        "with ls_conv or without_lkp"
    )


def draw(arrays: Mapping[str, NDArray[Any]], figure: Figure, title: str) -> None:
    """Draw the first images above both of their maps."""
    pictures = arrays["pictures"]
    axes = figure.subplots(3, len(pictures), squeeze=False)
    for index, picture in enumerate(pictures):
        axes[0, index].imshow(picture)
        axes[1, index].imshow(arrays["lkp"][index], cmap="viridis")
        axes[2, index].imshow(arrays["ska"][index], cmap="viridis")
    for row, name in enumerate(("image", "LKP", "SKA")):
        axes[row, 0].set_ylabel(name)
    for each in axes.flat:
        each.set(xticks=[], yticks=[])
    figure.suptitle(f"{title}: feature maps")


QUANTITIES = (
    finding("lkp_map_entropy", "ratio", "LKP map entropy / largest", digits=3, short_title="LKP entropy"),
    finding("ska_map_entropy", "ratio", "SKA map entropy / largest", digits=3, short_title="SKA entropy"),
)

ANALYSIS = Analysis(analyse, draw, QUANTITIES)
