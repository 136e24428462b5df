import numpy as np
import pytest
from scipy import stats

from lsbench.core.facets import Facets
from lsbench.corruptions import BENCHMARK, SEVERITIES
from lsbench.robustness.records import corruption_records
from lsbench.robustness.reference import ALEXNET

CONDITIONS = [(name, severity) for name in BENCHMARK for severity in SEVERITIES]
RNG = np.random.default_rng(0)
CLEAN = RNG.random(200) < 0.2
WRONG = {condition: RNG.random(200) < 0.3 + condition[1] / 10 for condition in CONDITIONS}


def records(wrong=WRONG, reference=ALEXNET):
    facets = Facets(method="p", version="1")
    found = corruption_records(
        CLEAN,
        wrong,
        CONDITIONS,
        reference=reference,
        facets=facets,
        dataset="imagenet",
        setting={"numpy": "2"},
    )
    by_place = {(record.metric, record.protocol): record for record in found}
    assert len(by_place) == len(found)
    return by_place


def test_there_is_a_record_of_all_of_each_corruption_and_of_each_condition():
    found = records()
    assert len(found) == 4 + 3 * 15 + 75
    assert {record.dataset for record in found.values()} == {"imagenet"}
    assert {record.n for record in found.values()} == {200}
    whole = [record for (_, protocol), record in found.items() if protocol == "p|v1"]
    assert [record.setting for record in whole] == [{"numpy": "2"}] * 4


def test_values_are_the_formulas_by_hand():
    found = records()
    errors = {condition: wrong.mean() for condition, wrong in WRONG.items()}
    fog = sum(errors["fog", severity] for severity in SEVERITIES) / 5
    assert found["corruption_error", "p|v1|corruption=fog/3"].value == errors["fog", 3]
    assert found["corruption_error", "p|v1|corruption=fog"].value == pytest.approx(fog)
    assert found["ce", "p|v1|corruption=fog"].value == pytest.approx(fog / 0.819324)
    relative = (fog - CLEAN.mean()) / (0.819324 - 0.4348)
    assert found["relative_ce", "p|v1|corruption=fog"].value == pytest.approx(relative)
    ratios = [sum(errors[n, s] for s in SEVERITIES) / 5 / ALEXNET.errors[n] for n in BENCHMARK]
    assert found["mce", "p|v1"].value == pytest.approx(np.mean(ratios))
    assert found["corruption_error", "p|v1"].value == pytest.approx(np.mean(list(errors.values())))
    assert found["clean_error", "p|v1"].value == CLEAN.mean()


def test_a_condition_has_wilsons_interval_and_mce_that_of_its_share_in_each_image():
    found = records()
    condition = found["corruption_error", "p|v1|corruption=fog/3"]
    assert "wilson" in condition.ci_method
    assert condition.ci_low < condition.value < condition.ci_high
    # mCE is linear in the errors: resampling the images gives the same interval.
    shares = np.mean([WRONG[n, s] / ALEXNET.errors[n] for n, s in CONDITIONS], axis=0)
    low, high = stats.norm.interval(0.95, loc=shares.mean(), scale=stats.sem(shares))
    mce = found["mce", "p|v1"]
    assert (mce.ci_low, mce.ci_high) == pytest.approx((low, high), abs=1e-6)


def test_a_missing_condition_leaves_holes_where_it_would_count_and_nowhere_else():
    found = records({condition: wrong for condition, wrong in WRONG.items() if condition != ("fog", 3)})
    holes = {place for place, record in found.items() if record.value is None}
    assert holes == {
        ("mce", "p|v1"),
        ("relative_mce", "p|v1"),
        ("corruption_error", "p|v1"),
        ("ce", "p|v1|corruption=fog"),
        ("relative_ce", "p|v1|corruption=fog"),
        ("corruption_error", "p|v1|corruption=fog"),
        ("corruption_error", "p|v1|corruption=fog/3"),
    }
    assert all(found[place].n is None for place in holes)


def test_without_a_reference_there_is_no_ratio():
    found = records(reference=None)
    missing = {metric for (metric, _), record in found.items() if record.value is None}
    assert missing == {"mce", "relative_mce", "ce", "relative_ce"}
