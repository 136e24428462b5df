import pytest

from lsbench.core.job import job_identity
from lsbench.engine.evaluation import EvaluationSpec
from lsbench.jobs.evaluate import EvaluateSpec


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


def test_only_images_that_are_made_in_another_way_than_before_are_part_of_an_id(tiny, make_graph):
    def identity(pretrained=True, **settings):
        tiny["defaults"]["model_args"] = {"pretrained": True} if pretrained else {}
        job = make_graph({**tiny, "jobs": ["train", {"evaluate": settings}]}).jobs[-1]
        return job_identity(job, dataset="d", settings=EvaluateSpec)

    published = identity(weights="pretrained")
    assert published["preprocess"] == "model"
    assert identity(weights="pretrained", preprocess="model") == published
    before = identity(weights="pretrained", preprocess="dataset")
    assert before == {key: value for key, value in published.items() if key != "preprocess"}
    assert "preprocess" not in before["spec"]
    for settings in ({}, {"weights": "fresh"}, {"preprocess": "dataset"}):
        assert "preprocess" not in identity(**settings)
    assert identity(preprocess={"crop_pct": 1.0})["preprocess"] == {"of": "dataset", "crop_pct": 1.0}
    both = identity(weights="pretrained", preprocess={"mean": [0.5, 0.5, 0.5]})
    assert both["preprocess"] == {"of": "model", "mean": [0.5, 0.5, 0.5]}
