import numpy as np
import pytest

from lsbench.gate.compare import compare_rows
from lsbench.gate.measurement import Images, Resamples
from lsbench.store.resampled_numbers import Resampled
from lsbench.store.right_images import RightImages
from lsbench.suite.gate import GateRule


@pytest.fixture
def compare(rules):
    """Compare one row before with one row now."""

    def one(before, after, **more):
        [found] = compare_rows(rules[before.key.metric], [(before, after)])
        return found

    return one


def test_images_of_the_same_model_are_compared_one_by_one(compare, make_images):
    found = compare(make_images(), make_images(wrong=range(100)))
    assert found.evidence.worsening == pytest.approx(0.01)
    assert found.detail == "100 lost and 0 gained of 10000 images"
    assert (found.test, found.change) == ("exact McNemar", "-1.00")
    alike = compare(make_images(), make_images())
    assert (alike.evidence.worsening, alike.detail) == (0, "none of 10000 images changed")


def test_of_a_metric_that_should_be_low_more_right_bits_are_a_loss(make_row, rules):
    def row(right):
        bits = np.arange(100) < right
        more = {"images": Images.pack(RightImages.pack(bits, "i")), "weights": "w"}
        return make_row("loss", [float(bits.mean())], **more)

    [found] = compare_rows(rules["loss"], [(row(20), row(40))])
    assert found.evidence.worsening == pytest.approx(0.2)
    assert found.evidence.low < 0.2 <= found.evidence.high
    assert found.evidence.p_worse < 0.001


def test_other_images_are_no_comparison(compare, make_images):
    assert "not the same images" in compare(make_images(), make_images(sha256="others")).barrier
    assert compare(make_images(), make_images(70, 100)).barrier == "10000 images in the baseline, 100 now"


def test_scores_without_images_of_the_same_weights_are_compared_as_they_are(compare, make_row):
    found = compare(make_row("loss", [1.0], weights="w"), make_row("loss", [1.2], weights="w"))
    assert found.test == "value"
    assert (found.evidence.worsening, found.evidence.p_worse) == (pytest.approx(0.2), 0)


def test_models_that_were_trained_anew_are_compared_by_their_seeds(make_row, rules):
    before = make_row("top1", [0.70, 0.71, 0.72], weights="old")
    after = make_row("top1", [0.60, 0.61, 0.62], weights="new")
    [found] = compare_rows(rules["top1"], [(before, after)])
    assert found.test == "t test over 3 seeds"
    assert found.evidence.worsening == pytest.approx(0.1)
    assert "with 3 seeds, a loss of" in found.detail
    assert "80% of cases" in found.detail


def test_the_scatter_of_seeds_is_pooled_over_the_rows_of_one_protocol(make_row, rules):
    def pair(variant, protocol="p|v1", scatter=0.01):
        values = [0.7, 0.7 + scatter]
        sides = {"old": values, "new": values}
        return tuple(
            make_row("top1", v, variant=variant, protocol=protocol, weights=w) for w, v in sides.items()
        )

    calm, wild = pair("a", scatter=0.001), pair("b", scatter=0.1)
    changed = (calm[0], make_row("top1", [0.69, 0.6911], variant="a", weights="new"))
    [alone] = compare_rows(rules["top1"], [changed])
    [pooled, _] = compare_rows(rules["top1"], [changed, wild])
    other = (pair("b", "other|v1", 0.1)[0], pair("b", "other|v1", 0.1)[1])
    [apart, _] = compare_rows(rules["top1"], [changed, other])
    assert alone.evidence == apart.evidence
    assert alone.evidence.p_worse < 0.01 < pooled.evidence.p_worse


def test_trainings_that_gave_the_same_numbers_are_no_change(compare, make_images):
    found = compare(make_images(weights="old"), make_images(weights="new"))
    assert found.evidence.worsening == 0
    assert found.barrier is None


def test_one_seed_tells_nothing_of_its_luck(compare, make_row):
    found = compare(make_row("top1", [0.7], weights="old"), make_row("top1", [0.5], weights="new"))
    assert (found.evidence.p_worse, found.evidence.worsening) == (1, pytest.approx(0.2))
    assert "give the suite more seeds" in found.detail


def test_counts_are_compared_exactly(compare, make_row):
    assert compare(make_row("macs", [3e8]), make_row("macs", [3e8])).detail == "equal"
    found = compare(make_row("macs", [3e8]), make_row("macs", [3e8 + 1]))
    assert (found.evidence.worsening, found.evidence.p_worse, found.evidence.p_better) == (1, 0, 1)


def test_timings_are_compared_by_their_ratios(compare, make_pairs):
    found = compare(make_pairs(), make_pairs(1.05, seed=1))
    assert found.evidence.worsening == pytest.approx(0.05, abs=0.005)
    assert found.excuse is None
    assert not found.is_blind
    assert found.test == "Mann-Whitney, 320 and 320 pairs"
    assert "% time" in found.change


def test_a_machine_of_another_speed_or_name_is_an_excuse(compare, make_pairs):
    assert "takes 2.0" in compare(make_pairs(), make_pairs(1.05, drift=2, seed=1)).excuse
    assert "takes 0.5" in compare(make_pairs(), make_pairs(1.05, drift=0.5, seed=1)).excuse
    other = compare(make_pairs(), make_pairs(machine="another"))
    assert other.excuse == "timed on another, the baseline on a cpu"
    assert compare(make_pairs(), make_pairs(drift=1.1)).excuse is None


def test_samples_that_scatter_hide_what_matters(compare, make_pairs):
    assert compare(make_pairs(noise=0.5, count=40), make_pairs(noise=0.5, count=40, seed=1)).is_blind


def test_what_could_not_be_measured_or_has_other_seeds_is_a_barrier(compare, make_row, make_pairs):
    unknown = make_row("latency_ratio", [None], dataset=None, reason="all disturbed")
    assert compare(make_pairs(), unknown).barrier == "now: all disturbed"
    assert compare(unknown, make_pairs()).barrier == "the baseline: all disturbed"
    few = compare(make_pairs(), make_pairs(count=3))
    assert few.barrier == "too few undisturbed pairs: 320 in the baseline, 3 now"
    bare = make_row("latency_ratio", [1.0], dataset=None)
    assert compare(make_pairs(), bare).barrier == "the results have no paired samples"
    assert compare(bare, make_pairs()).barrier == "the baseline has no paired samples"
    found = compare(make_row("top1", [0.1, 0.2]), make_row("top1", [0.1, 0.2], seeds=[0, 5]))
    assert found.barrier == "seeds [0, 1] in the baseline, [0, 5] now"


@pytest.fixture
def make_resampled(make_row):
    """Return a row of one model whose average precision scatters over resamples as all models' does."""

    def make(value=0.4, *, noise=0.0, count=150, sha256="images", **more):
        shared, own = (np.random.default_rng(seed).normal(0, 1, 1000) for seed in (0, 1))
        values = value + 0.02 * shared + noise * own
        resamples = Resamples.pack(Resampled(value, values, count, sha256))
        return make_row("miou", [value], resamples=resamples, weights="w", **more)

    return make


MIOU = GateRule(metric="miou", direction="higher", min_effect=0, alpha=0.01)


def test_numbers_that_are_no_means_are_compared_on_the_same_resampled_images(make_resampled):
    [found] = compare_rows(MIOU, [(make_resampled(), make_resampled(0.39, noise=0.002))])
    assert (found.test, found.detail) == ("paired bootstrap", "over 1000 choices of 150 images")
    assert found.evidence.worsening == pytest.approx(0.01)
    assert 0.004 < found.evidence.low < 0.01 < found.evidence.high < 0.016, "far less than each scatters"
    assert found.evidence.p_worse < 0.005 < found.evidence.p_better
    [alike] = compare_rows(MIOU, [(make_resampled(), make_resampled())])
    assert (alike.evidence.worsening, alike.evidence.p_worse, alike.evidence.p_better) == (0, 1, 1)


def test_resamples_of_other_images_are_no_comparison(make_resampled, make_row):
    [found] = compare_rows(MIOU, [(make_resampled(), make_resampled(sha256="others"))])
    assert "not the same images" in found.barrier
    [found] = compare_rows(MIOU, [(make_resampled(), make_resampled(count=100))])
    assert found.barrier == "150 images in the baseline, 100 now"
    [found] = compare_rows(MIOU, [(make_row("miou", [0.5], weights="w"), make_resampled())])
    assert found.test == "value", "a baseline without resamples"
