import io

import numpy as np
import pytest
from PIL import Image

from lsbench.rendering.pictures import FORMATS, SIZE, create_pictures


def draw(figure):
    axes = figure.subplots()
    axes.imshow(np.eye(4))
    axes.set_title("letters")


@pytest.fixture(scope="module")
def pictures():
    return create_pictures(draw, "eye", FORMATS)


def test_the_same_drawing_gives_the_same_bytes(pictures):
    assert set(pictures) == {"pdf", "svg", "png"}
    assert create_pictures(draw, "eye", FORMATS) == pictures


def test_pixels_are_300_to_the_inch_of_one_column(pictures):
    image = Image.open(io.BytesIO(pictures["png"]))
    assert image.size == tuple(round(300 * side) for side in SIZE)
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_letters_of_a_pdf_are_outlines_that_journals_take(pictures):
    assert pictures["pdf"].startswith(b"%PDF")
    assert b"/Type3" not in pictures["pdf"]
    assert b"/TrueType" in pictures["pdf"] or b"/CIDFontType2" in pictures["pdf"]


def test_letters_have_7_points_in_the_column(pictures):
    sizes = []

    def keep(figure):
        draw(figure)
        axes = figure.axes[0]
        sizes.extend(text.get_fontsize() for text in (axes.title, axes.xaxis.label, *axes.get_xticklabels()))

    create_pictures(keep, "eye", ["svg"])
    assert set(sizes) == {7.0}
