"""Contract of every analysis: reproducible finite numbers, a picture, and an unchanged model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from PIL import Image

from lsbench.analyses import Analysis, DownstreamSubject, ModelPanel, Subject
from lsbench.core.registry import ANALYSES
from lsbench.data.drawn_images import DrawnImage
from lsbench.detection.settings import MaskRCNNSettings, SemanticFPNSettings
from lsbench.jobs.analyze import write_findings
from lsbench.models.downstream.factory import create_downstream
from lsbench.models.factory import create_model


@pytest.fixture
def analysis(name: str) -> Analysis:
    found: Analysis = ANALYSES.load(name)
    return found


@pytest.fixture(scope="module")
def subjects() -> dict[str, Subject | DownstreamSubject]:
    """A model of each task with random weights and six random images."""
    torch.manual_seed(0)
    model = create_model("lsnet_nano", num_classes=3, img_size=48).eval()
    rng = np.random.default_rng(0)
    pictures = rng.random((6, 48, 48, 3)).astype(np.float32)
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2) - 0.5
    whole = Subject(model, images, pictures, rng.random((6, 48, 48)) > 0.5, batch_size=4)
    return {
        "classification": whole,
        "detection": _on_images("maskrcnn", MaskRCNNSettings(channels=16, box_channels=16, proposals=20)),
        "segmentation": _on_images("semantic_fpn", SemanticFPNSettings(channels=16, head_channels=16)),
    }


def _on_images(task: str, settings: Any) -> DownstreamSubject:
    """Return a detector or segmenter with images of two shapes, whose label maps have ignored pixels."""
    rng = np.random.default_rng(1)
    model = create_downstream(task, "lsnet_nano", num_classes=3, settings=settings, stem_stride=8).eval()
    images = []
    for number, (height, width) in enumerate([(64, 96), (96, 64)] * 3):
        picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        image = torch.from_numpy(picture).permute(2, 0, 1) / 255.0 - 0.5
        truth = rng.choice(np.array([0, 1, 2, 255], dtype=np.uint8), (height, width))
        images.append(DrawnImage(f"{number}.png", picture, image, truth))
    return DownstreamSubject(model, images, ("person", "<b> dog", "cat"), shown=(0, 3, 5))


@pytest.fixture
def subject(
    analysis: Analysis, subjects: dict[str, Subject | DownstreamSubject]
) -> Subject | DownstreamSubject:
    return subjects[analysis.task]


def test_it_gives_finite_numbers_that_it_declares_and_the_same_ones_again(
    name: str, analysis: Analysis, subject: Subject | DownstreamSubject
) -> None:
    before = {key: value.clone() for key, value in subject.model.state_dict().items()}
    one, two = analysis.analyse(subject), analysis.analyse(subject)
    numbers = {**one.numbers, **{key: float(values.mean()) for key, values in one.per_image.items()}}
    assert numbers
    assert set(numbers) <= {quantity.name for quantity in analysis.quantities}
    assert all(np.isfinite(value) for value in numbers.values())
    assert analysis.quantities == ANALYSES.module(name).QUANTITIES
    assert all(values.shape == (6,) for values in one.per_image.values())
    for key, values in one.arrays.items():
        assert np.array_equal(values, two.arrays[key])
        assert values.dtype.kind != "f" or np.isfinite(values).all()
    assert all(torch.equal(value, subject.model.state_dict()[key]) for key, value in before.items())
    assert all(parameter.grad is None for parameter in subject.model.parameters())


def test_it_reports_its_progress_to_the_last_image(
    analysis: Analysis, subject: Subject | DownstreamSubject
) -> None:
    steps: list[tuple[int, int]] = []
    whole: dict[str, Any] = {"batch_size": 6} if isinstance(subject, Subject) else {}
    analysis.analyse(replace(subject, on_step=lambda *step: steps.append(step), **whole))
    assert steps[-1] == (6, 6), "go through the images with batches() or predictions(), which report each"
    assert steps == sorted(steps)


def test_its_files_are_an_array_and_two_pictures_that_say_what_they_show(
    name: str, analysis: Analysis, subject: Subject | DownstreamSubject, tmp_path: Path
) -> None:
    found = analysis.analyse(subject)
    write_findings(tmp_path, name, "<b> & model", analysis, found)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.{end}" for end in ("npz", "png", "svg")
    ]
    saved = np.load(tmp_path / f"{name}.npz")
    assert set(saved.files) == set(found.arrays)
    pixels = np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20
    assert b"<b> &" not in (tmp_path / f"{name}.svg").read_bytes()


def test_a_composed_figure_names_every_model_and_has_one_scale(
    analysis: Analysis, subject: Subject | DownstreamSubject
) -> None:
    if analysis.compose is None:  # composing is no duty
        return
    from matplotlib.figure import Figure

    arrays = analysis.analyse(subject).arrays
    figure = Figure(layout="constrained")
    analysis.compose([ModelPanel("<b>Alpha</b>", arrays), ModelPanel("Beta", arrays, is_random=True)], figure)
    figure.draw_without_rendering()
    texts = [" ".join(text.get_text().split()) for text in figure.findobj(Text)]
    for label in ("<b>Alpha</b>", "Beta (random weights)"):
        assert any(label in text for text in texts), f"write each panel's `label`; found {texts}"
    maps = [image for axes in figure.axes for image in axes.images if np.asarray(image.get_array()).ndim == 2]
    assert len({image.get_clim() for image in maps}) <= 1, "give all maps the same scale, or norm"
    assert 3 <= figure.get_figwidth() <= 7.2, "set the size in inches: one or two columns of a page"
    bars = [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]
    assert not maps or (len(bars) == 1 and bars[0].get_ylabel()), "add one colour bar, with a label"
