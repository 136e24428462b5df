import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from lsbench.analyses import DownstreamSubject, ModelPanel
from lsbench.analyses.detections import ANALYSIS, compose
from lsbench.data.drawn_images import DrawnImage

CLASSES = ("person", "bed ")


class Detector(torch.nn.Module):
    """Finds an object with a score of .9 in the left half, and one of .29, in pixels of the file."""

    def predict(self, images, image_sizes, original_sizes):
        assert images.shape[-2:] == (32, 64), "padded to multiples of 32"
        assert image_sizes == [(24, 48)]
        [(height, width)] = original_sizes
        masks = torch.zeros(2, height, width, dtype=torch.bool)
        masks[0, :, : width // 2] = True
        boxes = torch.tensor([[0.0, 0.0, width / 2, height], [0, 0, 3, 3]])
        found = {"boxes": boxes, "scores": torch.tensor([0.9, 0.29]), "labels": torch.tensor([1, 0])}
        return [found | {"masks": masks}]


def image_of(name="a.jpg", value=100):
    picture = np.full((12, 24, 3), value, np.uint8)
    return DrawnImage(name, picture, torch.zeros(3, 24, 48))


@pytest.fixture
def found():
    drawn = [image_of("a.jpg"), image_of("b.jpg"), image_of("c.jpg")]
    return ANALYSIS.analyse(DownstreamSubject(Detector(), drawn, CLASSES, shown=(0, 2)))


def panel(title, arrays, **changes):
    return ModelPanel(title, {**arrays, **changes})


def test_only_what_a_detector_is_fairly_sure_of_is_counted_and_kept(found):
    assert found.per_image["detections_drawn"].tolist() == [1.0, 1.0, 1.0]
    arrays = found.arrays
    assert arrays["names"].tolist() == ["a.jpg", "c.jpg"]
    assert arrays["classes"].tolist() == list(CLASSES)
    assert arrays["boxes_1"].tolist() == [[0, 0, 12, 12]]
    assert arrays["labels_0"].tolist() == [1]
    assert arrays["masks_0"].shape == (1, 12, 24)
    assert "picture_2" not in arrays


def draw(panels):
    figure = Figure(layout="constrained")
    compose(panels, figure)
    figure.draw_without_rendering()
    return figure, [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_class_and_score_stand_at_the_box_and_the_mask_is_tinted(found):
    figure, texts = draw([panel("LS conv", found.arrays)])
    assert texts.count("bed 0.90") == 2
    assert {"LS conv", "a", "c", "detections with a score of at least 0.3"} <= set(texts)
    axes = figure.axes[0]
    pixels = np.asarray(axes.images[0].get_array())
    assert np.ptp(pixels[:, 12:]) == 0
    assert (pixels[:, 12:] == 100 / 255).all()
    assert np.abs(pixels[:, :12] - 100 / 255).max() > 0.1
    [box] = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert (box.get_xy(), box.get_width(), box.get_height()) == ((-0.5, -0.5), 12, 12)


def test_models_stand_below_each_other_with_one_colour_for_each_class(found):
    other = {**found.arrays, "labels_0": np.array([0])}
    figure, texts = draw([panel("LS conv", found.arrays), ModelPanel("RepMixer", other, is_random=True)])
    assert {"LS conv", "RepMixer (random weights)"} <= {" ".join(text.split()) for text in texts}
    assert texts.count("a") == 1, "the names of the images stand above the first row"
    edges = [axes.patches[0].get_edgecolor() for axes in figure.axes]
    assert edges[0] == edges[1] == edges[3] != edges[2]


def test_each_row_names_its_images_where_models_were_given_others(found):
    other = {
        **found.arrays,
        "picture_0": found.arrays["picture_0"] + 1,
        "names": np.array(["d.jpg", "e.jpg"]),
    }
    _, texts = draw([panel("LS conv", found.arrays), panel("RepMixer", other)])
    assert {"a", "c", "d", "e"} <= set(texts)


def test_many_pictures_of_one_model_take_several_rows_and_boxes_need_no_masks():
    drawn = [image_of(f"{n}.jpg", n) for n in range(6)]
    subject = DownstreamSubject(Detector(), drawn, CLASSES, shown=range(6))
    arrays = {name: one for name, one in ANALYSIS.analyse(subject).arrays.items() if "masks" not in name}
    figure, texts = draw([panel("LS conv", arrays)])
    assert sum(bool(axes.images) for axes in figure.axes) == 6
    assert len(figure.axes) == 6, "two rows of three"
    assert set("012345") <= set(texts)
    assert texts.count("bed 0.90") == 6


def test_a_model_that_finds_nothing_has_plain_pictures(found):
    nothing = {"boxes_0": np.zeros((0, 4)), "scores_0": np.zeros(0), "labels_0": np.zeros(0, int)}
    masks = {"masks_0": np.zeros((0, 12, 24), bool)}
    figure, _ = draw([panel("LS conv", found.arrays, **nothing, **masks)])
    assert not figure.axes[0].patches
    assert figure.axes[1].patches


def test_each_model_names_the_classes_that_it_knows(found):
    other = {**found.arrays, "classes": np.array(["person", "sofa", "cat"])}
    _, texts = draw([panel("LS conv", found.arrays), panel("RepMixer", other)])
    assert texts.count("bed 0.90") == texts.count("sofa 0.90") == 2
