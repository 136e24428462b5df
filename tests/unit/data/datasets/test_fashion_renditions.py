import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from lsbench.data.datasets.fashion_renditions import DATASET, LABELS, NUM_STYLES, FashionRenditionsSpec
from lsbench.data.garments import pack
from lsbench.data.garments.stylise import STYLES, draw_rendition


def test_styles_take_turns_and_pictures_do_not_depend_on_how_many_there_are():
    few = DATASET.prepare(FashionRenditionsSpec(images_per_class=5), None)
    more = DATASET.prepare(FashionRenditionsSpec(images_per_class=10), None)
    paths = sorted(few.root.glob("*/*.png"))
    assert len(paths) == 5 * len(LABELS)
    for path in paths:
        same = more.root / path.relative_to(few.root)
        assert same.read_bytes() == path.read_bytes()
    test = pack.read_pack()["test"]
    rows = np.flatnonzero(test.labels == LABELS[0])[:5]
    for row, style in zip(rows, STYLES, strict=True):
        index = int(test.indices[row])
        drawn = draw_rendition(test.images[row], style, np.random.default_rng([0, index]))
        path = few.root / pack.wnids()[LABELS[0]] / f"{index:05d}.png"
        assert np.array_equal(np.asarray(Image.open(path)), drawn)


def test_there_are_as_many_styles_as_the_spec_counts_in():
    assert len(STYLES) == NUM_STYLES
    with pytest.raises(ValidationError):
        FashionRenditionsSpec(images_per_class=7)


def test_the_fingerprint_follows_the_seed():
    plain = DATASET.fingerprint(FashionRenditionsSpec(), None)
    assert DATASET.fingerprint(FashionRenditionsSpec(seed=1), None) != plain
