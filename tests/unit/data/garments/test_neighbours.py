import numpy as np
import pytest

from lsbench.data.garments import neighbours, pack


@pytest.fixture(scope="module")
def few():
    test = pack.read_pack()["test"]
    return test.images[::40], test.labels[::40]


def test_votes_are_those_of_an_exact_search(few):
    """Whole numbers of 64 bits and sorting as Python does it, beside float32 and partitions."""
    train = pack.read_pack()["train"]
    known = train.images.reshape(len(train.images), -1).astype(np.int64) >> 1
    lengths = np.sqrt((known**2).sum(axis=1))
    votes = neighbours.count_votes(few[0])
    for image, found in list(zip(few[0], votes, strict=True))[::25]:
        nearness = (known @ (image.reshape(-1).astype(np.int64) >> 1)) / lengths
        nearest = np.argsort(-nearness, kind="stable")[:5]
        assert np.array_equal(np.bincount(train.labels[nearest], minlength=10), found)


def test_the_reference_is_about_as_good_as_its_page_says(few):
    images, labels = few
    assert np.mean(neighbours.predict(images) == labels) == pytest.approx(0.815, abs=0.06)
    enlarged = neighbours.resize_photos(images, 32)
    assert enlarged.shape == (250, 32, 32)
    assert np.mean(neighbours.predict(enlarged) == labels) == pytest.approx(0.815, abs=0.06)


def test_an_image_finds_itself_and_an_empty_one_finds_the_first_photos():
    train = pack.read_pack()["train"]
    assert neighbours.count_votes(train.images[:1])[0, train.labels[0]] >= 1
    empty = np.zeros((1, 28, 28), dtype=np.uint8)
    assert neighbours.count_votes(empty)[0].tolist() == np.bincount(train.labels[:5], minlength=10).tolist()


@pytest.mark.parametrize("shape", [(2, 33, 33), (2, 28, 32), (28, 28)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="square grey images of up to 32"):
        neighbours.count_votes(np.zeros(shape, dtype=np.uint8))


def test_sums_stay_below_what_float32_holds_exactly():
    assert 32 * 32 * 127**2 < 2**24
