import pytest

from lsbench.engine.evaluation import EvaluationSpec


@pytest.mark.parametrize(
    ("weights", "needs", "mark"),
    [("last", ("train",), ""), ("ema", ("train",), "|ema"), ("pretrained", (), "|pretrained")],
)
def test_pretrained_weights_need_no_training_and_every_protocol_tells_them_apart(weights, needs, mark):
    spec = EvaluationSpec(weights=weights)
    assert EvaluationSpec.needed_kinds({"weights": weights}, ("train",)) == needs
    assert spec.weights_mark == mark


def test_a_job_with_usual_settings_keeps_its_id():
    assert EvaluationSpec.identity_of(EvaluationSpec().model_dump(mode="json")) == {
        "batch_size": 256,
        "channels_last": False,
        "threads": 1,
    }
