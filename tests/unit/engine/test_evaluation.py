import pytest

from lsbench.core.job import ShownSize, Variant, job_identity
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


def variant(model, size=224, **model_args):
    data = {"name": "imagenet", "img_size": size}
    return Variant(name="v", model=model, model_args=model_args, dataset=data)


@pytest.mark.parametrize(
    ("settings", "row", "shown"),
    [
        ({}, variant("resnet18", 96), ShownSize(96, 96)),
        ({"preprocess": {"input_size": 128}}, variant("resnet18", 96), ShownSize(128, 96)),
        ({"on": {"name": "imagenet_a", "img_size": 64}}, variant("resnet18", 96), ShownSize(64, 96)),
        ({"weights": "pretrained"}, variant("edgenext_small", pretrained=True), ShownSize(256, 256, True)),
        (
            {"weights": "pretrained", "preprocess": "dataset"},
            variant("edgenext_small", pretrained=True),
            ShownSize(224, 224, True),
        ),
        (
            {"weights": "pretrained", "preprocess": {"input_size": 320}},
            variant("edgenext_small", pretrained=True),
            ShownSize(320, 320, True),
        ),
        ({"weights": "pretrained"}, variant("hf-hub:a/b", pretrained=True), None),
    ],
)
def test_the_size_that_a_job_shows_to_a_model_is_known_before_it(settings, row, shown):
    assert EvaluateSpec(**settings).shown(row) == shown


@pytest.mark.parametrize(
    ("settings", "row", "words"),
    [
        (
            {"preprocess": {"input_size": 384}},
            variant("vit_tiny_patch16_224"),
            "built for 224 px takes no images of 384",
        ),
        (
            {"weights": "pretrained", "preprocess": "dataset"},
            variant("volo_d1_384", pretrained=True),
            "the weights of 'volo_d1_384' are for images of 384 px and do not fit it at 224 px; set",
        ),
        ({"weights": "pretrained"}, variant("volo_d1_384", pretrained=True), ""),
    ],
)
def test_a_model_that_cannot_take_that_size_is_refused(settings, row, words):
    spec = EvaluateSpec(**settings)
    if not words:
        spec.check_row(row)
        return
    with pytest.raises(ValueError, match=words):
        spec.check_row(row)
