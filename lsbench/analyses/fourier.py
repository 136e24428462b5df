"""Frequency response: the amount of high frequencies that layers and token mixers let through.

The relative log amplitude is the logarithm of the amplitudes of a map's two-dimensional Fourier spectrum
along its diagonal, averaged over images and channels, minus its value at frequency zero. High frequency is
its value at the highest frequency of the map, averaged over the outputs of the pluggable token mixers, or
over the layers if a model has none. Gain is the difference between a mixer's output and its input at that
frequency: below 0 the mixer smooths.

Source:
    Park & Kim, How Do Vision Transformers Work?, ICLR 2022, arXiv:2202.06709, section 2 and Figure 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lsbench.analyses import Analysis, Findings, ModelPanel, NotApplicableError, Subject, draws_one, finding
from lsbench.analyses._panels import COLOURS, side_by_side

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from lsbench.models.observation import Seen

#: Lower bound of amplitudes.
LEAST = 1e-12


def analyse(subject: Subject) -> Findings:
    """Return the relative log amplitude at each frequency, per layer and per mixer's input and output."""
    import torch

    from lsbench.models.observation import layers_of, mixers_of, observed, to_map

    layers, mixers = layers_of(subject.model), mixers_of(subject.model)
    watched = {**layers, **{name: mixer for name, (_, mixer) in mixers.items()}}
    sums: dict[str, Tensor] = {}
    with observed(watched) as seen, torch.no_grad():
        for images in subject.batches():
            subject.model(images)
            for name, features in _features(seen, set(mixers)):
                found = log_amplitude(to_map(subject.model, features)).sum(dim=0)
                sums[name] = sums[name] + found if name in sums else found
    curves = {name: (found / len(subject.images)).cpu().numpy() for name, found in sums.items()}
    relative = {name: curve - curve[0] for name, curve in curves.items() if len(curve) > 1}
    outputs = [f"{name}:out" for name in mixers if f"{name}:out" in relative] or list(relative)
    if not outputs:
        raise NotApplicableError("fourier: every map of the model is a single pixel; use larger images")
    numbers = {"fourier_high_frequency": float(np.mean([relative[name][-1] for name in outputs]))}
    kept = [name for name in mixers if f"{name}:in" in relative and f"{name}:out" in relative]
    gains = [relative[f"{name}:out"][-1] - relative[f"{name}:in"][-1] for name in kept]
    if gains:
        numbers["fourier_gain"] = float(np.mean(gains))
    return Findings(relative, numbers)


def _features(seen: Mapping[str, Seen], mixers: set[str]) -> list[tuple[str, Tensor]]:
    found = []
    for name, one in seen.items():
        found += [(f"{name}:in", one.given), (f"{name}:out", one.returned)] if name in mixers else []
        found += [] if name in mixers else [(name, one.returned)]
    return found


def log_amplitude(maps: Tensor) -> Tensor:
    """Return the mean log amplitude along the spectrum's diagonal, from frequency 0 to the highest.

    Args:
        maps: Shape (B, C, H, W).

    Returns:
        Mean over channels, float64, shape (B, min(H, W) // 2 + 1).
    """
    import torch

    spectrum = torch.fft.fft2(maps.double()).abs().clamp_min(LEAST).log().mean(dim=1)
    side = min(maps.shape[2:]) // 2 + 1
    steps = torch.arange(side, device=maps.device)
    found: Tensor = spectrum[:, steps, steps]
    return found


def compose(panels: Sequence[ModelPanel], figure: Figure) -> None:
    """Draw the curve of each layer, or of each mixer's output if there are mixers, on the same axes."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable

    every = side_by_side(figure, panels, most=2, labels=2.5, sharex=True, sharey=True)
    for axes, panel in zip(every, panels, strict=True):
        names = [name for name in panel.arrays if name.endswith(":out")] or list(panel.arrays)
        for index, name in enumerate(names):
            curve = panel.arrays[name]
            colour = colormaps[COLOURS](index / max(len(names) - 1, 1))
            axes.plot(np.linspace(0, 1, len(curve)), curve, color=colour, linewidth=0.8)
        axes.set_xlabel("frequency (π)")
    every[0].set_ylabel("relative log amplitude (nat)")
    bar = figure.colorbar(ScalarMappable(cmap=COLOURS), ax=every, label="layers or mixers, by depth")
    bar.set_ticks([0, 1], labels=["first", "last"])


QUANTITIES = (
    finding(
        "fourier_high_frequency",
        "nat",
        "log amplitude at the highest frequency",
        short_title="high frequency",
    ),
    finding(
        "fourier_gain",
        "nat",
        "mixers' gain at the highest frequency",
        short_title="mixers' gain",
    ),
)

ANALYSIS = Analysis(analyse, draws_one(compose), QUANTITIES, compose=compose)
