import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text

from lsbench.analyses import DownstreamSubject, ModelPanel
from lsbench.analyses.segmentation import ANALYSIS, NEUTRAL, compose
from lsbench.data.drawn_images import DrawnImage

CLASSES = ("background", "cat", "dog", "bed ")


class Segmenter(torch.nn.Module):
    """Finds a cat in the left half of every image."""

    def predict(self, images, image_sizes, original_sizes):
        [(height, width)] = original_sizes
        labels = torch.zeros(height, width, dtype=torch.int64)
        labels[:, : width // 2] = 1
        return [{"label_map": labels}]


def image_of(name="a.png", *, has_truth=True):
    truth = np.zeros((4, 8), np.uint8)
    truth[:, :2], truth[0] = 1, 255
    picture = np.full((4, 8, 3), 51, np.uint8)
    return DrawnImage(name, picture, torch.zeros(3, 32, 64), truth if has_truth else None)


def analyse(drawn, shown=(0,)):
    return ANALYSIS.analyse(DownstreamSubject(Segmenter(), drawn, CLASSES, shown=shown))


def draw(*panels):
    figure = Figure(layout="constrained")
    compose(panels, figure)
    figure.draw_without_rendering()
    texts = [" ".join(text.get_text().split()) for text in figure.findobj(Text) if text.get_text()]
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images], texts


def test_pixels_that_do_not_count_are_left_out_of_the_accuracy():
    found = analyse([image_of(), image_of()])
    assert found.numbers == {"analysed_pixel_accuracy": pytest.approx(18 / 24)}
    assert found.per_image["classes_found"].tolist() == [2, 2]
    assert set(found.arrays) == {"names", "classes", "picture_0", "label_map_0", "truth_0"}


def test_without_truth_there_is_no_accuracy_and_no_row_of_truth():
    found = analyse([image_of(has_truth=False)])
    assert found.numbers == {}
    images, texts = draw(ModelPanel("LS conv", found.arrays))
    assert len(images) == 2
    assert {"image", "prediction"} <= set(texts)
    assert not {"ground truth", "unlabelled"} & set(texts)


def test_truth_stands_above_the_prediction_in_the_colours_of_the_legend():
    found = analyse([image_of()])
    (image, truth, prediction), texts = draw(ModelPanel("LS conv", found.arrays))
    assert {"LS conv", "a", "image", "ground truth", "prediction", "background", "cat", "unlabelled"} <= set(
        texts
    )
    assert not {"dog", "bed"} & set(texts), "only classes that can be seen are named"
    assert np.allclose(image, 0.2)
    assert np.allclose(truth[0], NEUTRAL)
    assert np.allclose(truth[1:, :2], prediction[1:, :2])
    assert np.allclose(prediction[0, :4], prediction[1, 0]), "a prediction has no unlabelled pixels"
    assert not np.allclose(truth[1, 2], prediction[1, 2])


def test_several_models_share_image_and_truth_and_have_a_row_each():
    found = analyse([image_of(), image_of("b.png")], (0, 1))
    images, texts = draw(ModelPanel("LS conv", found.arrays), ModelPanel("RepMixer", found.arrays, True))
    assert len(images) == 8
    assert {"ground truth", "LS conv", "RepMixer (random weights)"} <= set(texts)
    assert "prediction" not in texts


def test_models_with_other_images_show_their_own():
    one, other = (analyse([image_of(name)]) for name in ("a.png", "b.png"))
    images, _ = draw(ModelPanel("LS conv", one.arrays), ModelPanel("RepMixer", other.arrays))
    assert len(images) == 6


def test_many_pictures_take_several_rows():
    drawn = [image_of(f"{n}.png") for n in range(5)]
    images, texts = draw(ModelPanel("LS conv", analyse(drawn, range(5)).arrays))
    assert len(images) == 15
    assert texts.count("ground truth") == 2
    assert set("01234") <= set(texts)


def test_of_many_classes_the_legend_names_those_with_most_pixels():
    classes = np.array([f"class {number}" for number in range(150)])
    labels = np.repeat(np.arange(60, dtype=np.uint8), np.arange(60) + 1).reshape(30, 61)
    arrays = {
        "names": np.array(["a"]),
        "classes": classes,
        "picture_0": np.zeros((30, 61, 3), np.uint8),
        "label_map_0": labels,
    }
    _, texts = draw(ModelPanel("LS conv", arrays))
    named = [text for text in texts if text.startswith("class")]
    assert named == [f"class {number}" for number in range(59, 35, -1)]
