"""Tests and intervals of pairs beside brute force, scipy, statsmodels and simulation."""

import itertools
import json
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from lsbench.stats.paired import (
    count_discordant,
    holm,
    mcnemar,
    mcnemar_one_sided,
    mean_squares,
    over_images,
    over_seeds,
    over_seeds_and_images,
    paired_bootstrap,
)

DATA = Path(__file__).parent / "data"
COUNTS = [(0, 0), (1, 0), (5, 0), (9, 3), (3, 9), (40, 25), (7, 7), (500, 430)]


def by_hand(gained, lost):
    """Twice the exact tail of a fair coin, as a fraction."""
    differing, most = gained + lost, max(gained, lost)
    tail = Fraction(sum(comb(differing, k) for k in range(most, differing + 1)), 2**differing)
    return float(min(Fraction(1), 2 * tail))


@pytest.mark.parametrize(("gained", "lost"), COUNTS)
def test_mcnemar_is_an_exact_sum_and_that_of_scipy_and_statsmodels(gained, lost):
    found = mcnemar(gained, lost)
    assert found == pytest.approx(by_hand(gained, lost))
    assert found == pytest.approx(float(statsmodels_mcnemar([[50, gained], [lost, 9]], exact=True).pvalue))
    if gained + lost:
        assert found == pytest.approx(stats.binomtest(gained, gained + lost).pvalue)
    worse, better = mcnemar_one_sided(gained, lost)
    assert min(1.0, 2 * min(worse, better)) == pytest.approx(found)


def test_mcnemar_is_the_share_of_swapped_answers_as_far_apart():
    """Permutation by hand: if both are alike, their answers on an image could be swapped."""
    one = np.array([1, 1, 1, 1, 0, 1, 0, 1, 1], dtype=bool)
    two = np.array([0, 0, 0, 1, 1, 0, 0, 1, 0], dtype=bool)
    seen = abs(int(one.sum()) - int(two.sum()))
    swaps = map(np.array, itertools.product([False, True], repeat=len(one)))
    apart = [abs(np.where(s, two, one).sum() - np.where(s, one, two).sum()) for s in swaps]
    assert mcnemar(*count_discordant(one, two)) == pytest.approx(np.mean(np.array(apart) >= seen))


def stepped_down(p_values, level):
    """Holm's procedure as it is written: which hypotheses fall."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    fallen = set()
    for place, index in enumerate(order):
        if p_values[index] > level / (len(p_values) - place):
            break
        fallen.add(index)
    return fallen


def test_holm_rejects_what_the_step_down_procedure_rejects():
    rng = np.random.default_rng(0)
    for _ in range(50):
        p_values = list(rng.uniform(0, 0.05, 6))
        adjusted = holm(p_values)
        assert {i for i, p in enumerate(adjusted) if p <= 0.05} == stepped_down(p_values, 0.05)
    assert holm([]) == []


@pytest.mark.parametrize(
    "p_values", [[0.2], [0.04, 0.01, 0.03], [0.5, 0.9, 1.0], [0.01, 0.02, 0.01, 0.02, 0.0], [0.3] * 4]
)
def test_holm_gives_what_statsmodels_gives(p_values):
    assert holm(p_values) == multipletests(p_values, method="holm")[1].tolist()


def test_seeds_alone_are_a_paired_t_test():
    values = [0.02, 0.013, 0.03, -0.001]
    found, expected = over_seeds(values), stats.ttest_1samp(values, 0)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.seeds, found.images, found.freedom) == (4, 0, 3)


def test_seeds_that_say_nothing_of_chance_have_no_interval():
    for values in ([0.02], [0.05, 0.05], [0.0]):
        found = over_seeds(values)
        assert (found.value, found.low, found.p_value) == (pytest.approx(np.mean(values)), None, None)
    assert (over_seeds([0.0, 0.0]).low, over_seeds([0.0, 0.0]).p_value) == (0.0, 1.0)


def test_mean_squares_are_those_of_a_two_way_table():
    table = np.random.default_rng(0).choice([-1, 0, 1], size=(4, 30)).astype(np.int8)
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    rest = table - rows - columns + table.mean()
    assert mean_squares(table) == pytest.approx(
        (30 * rows.var(ddof=1), 4 * columns.var(ddof=1), (rest**2).sum() / (3 * 29))
    )


def test_without_an_effect_of_images_the_interval_is_that_of_seeds():
    """If every image differs in one seed only, images add nothing to what the seeds scatter."""
    table = np.zeros((3, 900), dtype=np.int8)
    table[0, :30], table[1, 300:350], table[2, 600:690] = 1, 1, 1
    assert mean_squares(table)[1] < mean_squares(table)[2]
    found, seeds = over_seeds_and_images(table), over_seeds(list(table.mean(axis=1)))
    assert (found.low, found.high) == pytest.approx((seeds.low, seeds.high))


def test_models_that_agree_on_every_image_do_not_differ():
    found = over_seeds_and_images(np.zeros((3, 50), dtype=np.int8))
    assert (found.value, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)
    alone = over_images(np.zeros(50, dtype=np.int8))
    assert alone.low < 0 < alone.high, "50 images are no proof that there is no difference"
    assert alone.p_value == 1.0


def test_the_bootstrap_is_the_same_whenever_asked_and_centred_on_the_data():
    table = np.random.default_rng(0).choice([-1, 0, 1], p=[0.1, 0.7, 0.2], size=(4, 500)).astype(np.int8)
    means = paired_bootstrap(table)
    assert np.array_equal(means, paired_bootstrap(table))
    assert means.mean() == pytest.approx(table.mean(), abs=0.001)
    shuffled = table[:, np.random.default_rng(1).permutation(500)]
    assert np.array_equal(means, paired_bootstrap(shuffled)), "the order of images says nothing"
    assert not np.array_equal(means, paired_bootstrap(-table))


def test_the_bootstrap_of_one_seed_has_the_spread_of_drawn_images():
    image = np.random.default_rng(0).choice([-1, 0, 1], p=[0.1, 0.7, 0.2], size=(1, 500)).astype(np.int8)
    assert paired_bootstrap(image).std() == pytest.approx(image.std() / np.sqrt(500), rel=0.03)


TRUE = 0.02


def draw(rng, seeds, images, *, seed_effect, image_effect):
    """Differences of two methods whose true difference is TRUE, over drawn seeds and images."""
    is_hard = rng.random(images) < 0.3
    share = np.where(is_hard, 0.6, 0.06)
    of_image = np.where(is_hard, image_effect * rng.choice([-1, 1], size=images), 0.0)
    of_seed = np.clip(seed_effect * rng.standard_normal((seeds, 1)), -0.05, 0.05)
    lean = np.clip(TRUE + of_image + of_seed, -share, share)
    toss = rng.random((seeds, images))
    return (toss < (share + lean) / 2).astype(np.int8) - (toss > 1 - (share - lean) / 2)


def coverage(runs, seeds, images, **effects):
    rng = np.random.default_rng(seeds * images)
    compare = over_seeds_and_images if seeds > 1 else lambda table: over_images(table[0])
    found = (compare(draw(rng, seeds, images, **effects)) for _ in range(runs))
    return np.mean([one.low <= TRUE <= one.high for one in found])


EFFECTS = [
    {"seed_effect": u, "image_effect": v} for u, v in [(0.0, 0.0), (0.0, 0.5), (0.01, 0.3), (0.03, 0.3)]
]


@pytest.mark.parametrize("effects", EFFECTS[1:])
def test_intervals_hold_the_truth_in_95_of_100_cases(effects):
    assert coverage(2000, 3, 300, **effects) == pytest.approx(0.95, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 4, 5, 10])
@pytest.mark.parametrize("images", [300, 2000])
@pytest.mark.parametrize("effects", EFFECTS)
def test_intervals_hold_the_truth_whatever_the_numbers(seeds, images, effects):
    assert coverage(6000, seeds, images, **effects) == pytest.approx(0.95, abs=0.015)


def coverage_of_images(runs, images, lost, gained):
    rng = np.random.default_rng(0)
    shares = [lost, 1 - lost - gained, gained]
    tables = (rng.choice([-1, 0, 1], p=shares, size=images).astype(np.int8) for _ in range(runs))
    found = [over_images(table) for table in tables]
    return np.mean([one.low <= gained - lost <= one.high for one in found])


def test_intervals_of_images_alone_hold_the_truth_of_these_models():
    assert coverage_of_images(300, 500, 0.05, 0.09) == pytest.approx(0.95, abs=0.025)


@pytest.mark.slow
@pytest.mark.parametrize("images", [200, 2000, 10_000])
@pytest.mark.parametrize(("lost", "gained"), [(0.02, 0.04), (0.05, 0.07), (0.1, 0.1)])
def test_intervals_of_images_alone_hold_the_truth_whatever_the_numbers(images, lost, gained):
    assert coverage_of_images(4000, images, lost, gained) == pytest.approx(0.95, abs=0.015)


def test_two_seeds_are_held_to_more_than_they_promise():
    for effects in EFFECTS[::3]:
        assert coverage(800, 2, 300, **effects) >= 0.935


def test_a_bootstrap_of_three_seeds_would_hold_the_truth_too_rarely():
    """Why intervals over seeds are not read off the bootstrap."""
    rng, held = np.random.default_rng(0), []
    for _ in range(150):
        table = draw(rng, 3, 3000, seed_effect=0.03, image_effect=0.0)
        low, high = np.quantile(paired_bootstrap(table, resamples=500), [0.025, 0.975])
        held.append(low <= TRUE <= high)
    assert np.mean(held) < 0.88


@pytest.fixture(scope="module")
def real():
    """Which test images each of four trained variants got right, seeds 0 to 2; see `real_images.json`."""
    about = json.loads((DATA / "real_images.json").read_text())
    with np.load(DATA / "real_images.npz") as file:
        return {name: np.unpackbits(file[name], axis=1, count=about["images"]) for name in about["variants"]}


def test_real_results_with_swapped_labels_are_told_apart_at_the_stated_rate(real):
    """Seed by seed the two names are swapped by chance; images are drawn, so that samples differ."""
    rng = np.random.default_rng(0)
    pairs = list(itertools.combinations(sorted(real), 2))
    found = []
    for _ in range(1000):
        one, two = (real[name].astype(np.int8) for name in pairs[rng.integers(len(pairs))])
        drawn = (one - two)[:, rng.integers(one.shape[1], size=1000)]
        swapped = drawn * rng.choice([-1, 1], size=drawn.shape).astype(np.int8)
        found.append((over_seeds_and_images(swapped).p_value, mcnemar(*_sides(swapped[0]))))
    over_both, of_images = np.mean(np.array(found) <= 0.05, axis=0)
    assert over_both == pytest.approx(0.05, abs=0.015)
    assert 0.02 <= of_images <= 0.055, "exact: at most the stated rate, for counts are whole numbers"


def _sides(per_image):
    return int((per_image > 0).sum()), int((per_image < 0).sum())


def test_real_trainings_anew_are_told_apart_at_most_at_the_stated_rate(real):
    """All splits of one variant's seeds into two sides: the same method, so each finding is a false one."""
    found = []
    for right in real.values():
        for order in itertools.permutations(range(3)):
            difference = right.astype(np.int8) - right[list(order)].astype(np.int8)
            if all(place != index for place, index in enumerate(order)):
                found.append(over_seeds_and_images(difference).p_value)
    assert len(found) == 8
    assert min(found) > 0.05


def test_one_seed_tells_trained_models_apart_that_are_the_same_method(real):
    """Why a comparison of one seed must say that it is about these trained models alone."""
    found = [
        mcnemar(*count_discordant(right[a] == 1, right[b] == 1))
        for right in real.values()
        for a, b in itertools.combinations(range(3), 2)
    ]
    assert np.mean(np.array(found) <= 0.05) > 0.2
