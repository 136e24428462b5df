import pytest
from pydantic import TypeAdapter, ValidationError

from lsbench.engine.rates import Cosine, LinearRise, Poly, RateSchedule, Steps


def test_steps_fall_with_the_first_update_of_their_epoch():
    steps = Steps(epochs=(8, 11))
    rates = [steps.rate(1e-4, update=update, steps=5) for update in range(12 * 5)]
    assert rates == pytest.approx([1e-4] * 40 + [1e-5] * 15 + [1e-6] * 5)


def test_poly_is_the_formula_of_mmcv_and_nearly_reaches_its_minimum():
    poly = Poly(power=0.9, min_lr=1e-6)
    for update in (0, 1, 12_345, 39_999):
        expected = (2e-4 - 1e-6) * (1 - update / 40_000) ** 0.9 + 1e-6
        assert poly.rate(2e-4, update=update, total=40_000) == expected
    assert poly.rate(2e-4, update=40_000, total=40_000) == 1e-6


def test_a_warm_up_rises_linearly_from_its_factor_and_then_is_over():
    warm_up = LinearRise(updates=500, start_factor=0.001)
    assert warm_up.factor(0) == pytest.approx(0.001)
    assert warm_up.factor(250) == pytest.approx(0.001 + 0.999 / 2)
    assert warm_up.factor(499) < warm_up.factor(500) == warm_up.factor(10_000) == 1.0


def test_a_schedule_is_chosen_by_its_kind():
    parse = TypeAdapter(RateSchedule).validate_python
    assert parse({"kind": "steps", "epochs": [8, 11]}) == Steps(epochs=(8, 11))
    assert isinstance(parse({"kind": "poly"}), Poly)
    assert isinstance(parse({"kind": "cosine"}), Cosine)
    with pytest.raises(ValidationError, match="'cosine', 'steps', 'poly'"):
        parse({"kind": "linear"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "steps", "epochs": []},
        {"kind": "steps", "epochs": [11, 8]},
        {"kind": "steps", "epochs": [8, 8]},
        {"kind": "steps", "epochs": [8], "factor": 1.0},
        {"kind": "poly", "power": 0},
        {"kind": "poly", "factor": 0.1},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError):
        TypeAdapter(RateSchedule).validate_python(wrong)
