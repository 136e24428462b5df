import numpy as np
import pytest
import torch
from torch import nn

from lsbench.core.errors import DataError
from lsbench.data.loading.image_list import UnreadableImageError
from lsbench.data.loading.transforms import normalise
from lsbench.robustness import predict as corrupted
from lsbench.robustness.blocks import PredictionBlocks
from lsbench.robustness.predict import Feed, predict_views

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
IMAGES = 10
BLOCKS = [range(start, min(start + 4, IMAGES)) for start in range(0, IMAGES, 4)]


class Noise:
    """Three views of each image, made of noise; remembers which images were asked for."""

    num_views = 3

    def __init__(self, unreadable=None):
        self.asked = []
        self.unreadable = unreadable

    def views(self, index):
        self.asked.append(index)
        if index == self.unreadable:
            raise UnreadableImageError("x.png", "expected a readable image at x.png")
        return np.random.default_rng(index).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(), nn.Linear(144, 300)
    )


@pytest.fixture
def kept(tmp_path):
    return PredictionBlocks(tmp_path / "cells", "stamp", 3)


def feed(**more):
    return Feed(**{"batch_size": 5, "mean": MEAN, "std": STD, **more})


def expected(model):
    """Predict each view of each image, in the simplest way."""
    rows = []
    with torch.inference_mode():
        for index in range(IMAGES):
            pixels = torch.from_numpy(Noise().views(index)).permute(0, 3, 1, 2)
            rows.append(model.eval()(normalise(pixels, MEAN, STD)).argmax(dim=1))
    return torch.stack(rows, dim=1).numpy()


@pytest.mark.parametrize(
    "more", [{}, {"batch_size": 1}, {"batch_size": 100}, {"channels_last": True}, {"num_workers": 2}]
)
def test_every_variant_is_predicted_as_on_its_own(model, kept, more):
    found = predict_views(model, Noise(), BLOCKS, kept, feed(**more))
    assert found.shape == (3, IMAGES)
    assert found.dtype == np.int16
    assert np.array_equal(found, expected(model))


def test_batches_are_full_and_never_reach_across_blocks(model, kept):
    sizes = []
    model.register_forward_hook(lambda module, args, output: sizes.append(len(output)))
    predict_views(model, Noise(), BLOCKS, kept, feed())
    assert sizes == [5, 5, 2, 5, 5, 2, 5, 1]


def test_an_image_is_asked_for_once(model, kept):
    source = Noise()
    predict_views(model, source, BLOCKS, kept, feed())
    assert source.asked == list(range(IMAGES))


def test_finished_blocks_are_never_computed_again(model, kept):
    found = predict_views(model, Noise(), BLOCKS, kept, feed())
    source, seen = Noise(), []
    (kept._path(BLOCKS[1])).unlink()
    again = predict_views(model, source, BLOCKS, kept, feed(), lambda done, rate: seen.append(done))
    assert source.asked == list(BLOCKS[1])
    assert seen == [7, 8, 9, 10]
    assert np.array_equal(again, found)


def test_a_crash_loses_no_finished_block(model, kept):
    with pytest.raises(DataError, match=r"expected a readable image at x\.png"):
        predict_views(model, Noise(unreadable=9), BLOCKS, kept, feed())
    source = Noise()
    found = predict_views(model, source, BLOCKS, kept, feed())
    assert source.asked == [8, 9]
    assert np.array_equal(found, expected(model))


def test_an_unreadable_image_is_named_by_loader_processes_too(model, kept):
    with pytest.raises(DataError, match=r"^expected a readable image at x\.png$"):
        predict_views(model, Noise(unreadable=2), BLOCKS, kept, feed(num_workers=2))


def test_global_randomness_is_left_alone(model, kept):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    predict_views(model, Noise(), BLOCKS, kept, feed())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_block_that_another_rank_takes_is_left_to_it(model, kept, monkeypatch):
    own, other = Noise(), Noise()
    monkeypatch.setattr(corrupted, "shared_counter", lambda: iter([1, 3]).__next__)
    theirs = {}
    monkeypatch.setattr(corrupted, "gather_over_ranks", lambda done: theirs.update(done) or [done])
    with pytest.raises(KeyError):  # the first and the last block are not there yet
        predict_views(model, other, BLOCKS, kept, feed())
    monkeypatch.setattr(corrupted, "shared_counter", lambda: iter([0, 2, 4]).__next__)
    monkeypatch.setattr(corrupted, "gather_over_ranks", lambda done: [done, theirs])
    fresh = PredictionBlocks(kept._folder / "elsewhere", "stamp", 3)
    found = predict_views(model, own, BLOCKS, fresh, feed())
    assert other.asked == list(BLOCKS[1])
    assert own.asked == [*BLOCKS[0], *BLOCKS[2]]
    assert np.array_equal(found, expected(model))
