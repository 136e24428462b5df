import numpy as np
import pytest

from lsbench.corruptions import corrupt
from lsbench.corruptions.noise import CORRUPTIONS, _approximate_log, with_normals


def test_the_file_offers_its_kinds():
    assert list(CORRUPTIONS) == ["gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"]


def test_the_fast_logarithm_errs_far_less_than_the_guard_allows():
    numbers = np.concatenate(
        [np.random.RandomState(0).random_sample(2000), 10.0 ** -np.arange(30), [1 - 2**-53]]
    )
    errors = [
        abs(_approximate_log(number) - np.log(number)) / -np.log(number) for number in numbers[numbers < 1]
    ]
    assert max(errors) < 1e-12


@pytest.mark.parametrize("relative", [False, True])
def test_values_computed_again_are_the_same(relative, photo, generator_at, state_of):
    image = photo("coffee", 61, 83)
    fast, exact = generator_at(9, 2, 1), generator_at(9, 2, 1)
    found = with_normals(image, 0.3, fast, relative=relative)
    again = with_normals(image, 0.3, exact, relative=relative, guard=0.5)
    assert np.array_equal(found, again)
    assert state_of(fast) == state_of(exact)


def test_impulses_follow_the_documented_rule(photo, generator_at, state_of):
    image = photo("rocket", 40, 45)
    theirs, ours = generator_at(6, 1, 1), generator_at(6, 1, 1)
    flips, salt = theirs.random_sample(image.shape) <= 0.09, theirs.random_sample(image.shape) <= 0.5
    expected = np.where(flips, np.where(salt, 255, 0), image)
    assert np.array_equal(corrupt(image, "impulse_noise", 3, rng=ours), expected)
    assert state_of(ours) == state_of(theirs)


@pytest.mark.parametrize("name", list(CORRUPTIONS))
def test_noise_grows_with_the_severity(name, photo, generator_at):
    image = photo("chelsea", 96, 96)
    distances = [
        np.square(corrupt(image, name, severity, rng=generator_at(1)).astype(float) - image).mean()
        for severity in (1, 2, 3, 4, 5)
    ]
    assert distances == sorted(distances)
