import pytest

from lsbench.corruptions import BENCHMARK, NAMES, SEVERITIES
from lsbench.robustness.errors import ErrorTable, whole_mean
from lsbench.robustness.reference import ALEXNET, Reference

CONDITIONS = [(name, severity) for name in BENCHMARK for severity in SEVERITIES]
#: Made by hand: corruption number k has the errors (k + 1) / 100 + severity / 10.
ERRORS = {
    (name, severity): (k + 1) / 100 + severity / 10
    for k, name in enumerate(BENCHMARK)
    for severity in SEVERITIES
}
CLEAN = 0.25


def table(errors=ERRORS, conditions=CONDITIONS, reference=ALEXNET):
    return ErrorTable(errors, CLEAN, conditions, reference)


def test_mce_is_the_formula_by_hand():
    sums = {name: sum(ERRORS[name, severity] for severity in (1, 2, 3, 4, 5)) for name in BENCHMARK}
    ratios = [sums[name] / (5 * ALEXNET.errors[name]) for name in BENCHMARK]
    assert table().mce() == pytest.approx(sum(ratios) / 15, abs=1e-12)
    assert table().ce("gaussian_noise") == pytest.approx((0.05 + 1.5) / 5 / 0.886428, abs=1e-12)
    excess = [(sums[n] / 5 - 0.25) / (ALEXNET.errors[n] - 0.4348) for n in BENCHMARK]
    assert table().relative_mce() == pytest.approx(sum(excess) / 15, abs=1e-12)
    assert table().relative_ce("fog") == pytest.approx((0.10 + 0.3 - 0.25) / (0.819324 - 0.4348), abs=1e-12)
    assert table().mean_error() == pytest.approx(0.08 + 0.3, abs=1e-12)
    assert table().mean_error("gaussian_noise") == pytest.approx(0.31, abs=1e-12)


def test_the_reference_itself_has_an_mce_of_one():
    errors = {(name, severity): ALEXNET.errors[name] for name, severity in CONDITIONS}
    same = ErrorTable(errors, ALEXNET.clean_error, CONDITIONS, ALEXNET)
    assert same.mce() == pytest.approx(1.0)
    assert same.relative_mce() == pytest.approx(1.0)


@pytest.mark.parametrize("missing", [CONDITIONS[0], ("fog", 3), CONDITIONS[-1]])
def test_74_of_75_conditions_withhold_every_mean_over_all(missing):
    found = table({condition: error for condition, error in ERRORS.items() if condition != missing})
    assert len(found.errors) == 74
    assert found.mce() is found.relative_mce() is found.mean_error() is None
    assert found.ce(missing[0]) is found.relative_ce(missing[0]) is found.mean_error(missing[0]) is None
    other = next(name for name in BENCHMARK if name != missing[0])
    assert found.ce(other) == table().ce(other)


def test_without_a_reference_only_unnormalised_errors_are_known():
    found = table(reference=None)
    assert found.mce() is found.ce("fog") is found.relative_ce("fog") is None
    assert found.mean_error() == table().mean_error()


def test_a_choice_of_conditions_has_its_own_mean_and_no_mce():
    conditions = [("fog", 1), ("fog", 3), ("snow", 1), ("snow", 3)]
    found = table({condition: ERRORS[condition] for condition in conditions}, conditions)
    assert found.mean_error("fog") == pytest.approx((ERRORS["fog", 1] + ERRORS["fog", 3]) / 2)
    assert found.mean_error() is not None
    assert found.mce() is found.ce("fog") is None


def test_validation_corruptions_count_in_the_mean_error_but_not_in_mce():
    conditions = [(name, severity) for name in NAMES for severity in SEVERITIES]
    found = table({condition: ERRORS.get(condition, 1.0) for condition in conditions}, conditions)
    assert found.mce() == table().mce()
    assert found.mean_error() > table().mean_error()
    assert found.ce("spatter") is None


def test_a_corruption_that_hardly_hurts_the_reference_has_no_relative_error():
    barely = ALEXNET.clean_error + 0.019
    easy = Reference("easy", {**ALEXNET.errors, "fog": barely}, ALEXNET.clean_error)
    found = table(reference=easy)
    assert found.relative_ce("fog") is found.relative_mce() is None
    assert found.mce() is not None


def test_the_mean_of_nothing_is_not_known():
    assert whole_mean([]) is None
