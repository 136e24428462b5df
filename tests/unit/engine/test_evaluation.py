import pytest

from lsbench.engine.evaluation import EvaluationSpec


@pytest.mark.parametrize(
    ("weights", "needs"), [("last", ("train",)), ("ema", ("train",)), ("pretrained", ()), ("fresh", ())]
)
def test_pretrained_weights_need_no_training(weights, needs):
    assert EvaluationSpec(weights=weights).weights == weights
    assert EvaluationSpec.needed_kinds({"weights": weights}, ("train",)) == needs


def test_a_job_with_usual_settings_keeps_its_id():
    assert EvaluationSpec.identity_of(EvaluationSpec().model_dump(mode="json")) == {
        "batch_size": 256,
        "channels_last": False,
        "threads": 1,
    }
