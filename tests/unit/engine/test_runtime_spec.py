import pytest
from pydantic import ValidationError

from lsbench.core.facets import Facets, render_protocol
from lsbench.engine.runtime_spec import RuntimeSpec
from lsbench.jobs.evaluate import EvaluateSpec
from lsbench.robustness.spec import RobustnessSpec

INT8 = {"runtime": "onnxruntime", "precision": "int8"}
LATER = {"runtime", "precision", "quantisation", "calibration_images", "calibration_seed"}


@pytest.mark.parametrize("kind", [EvaluateSpec, RobustnessSpec])
def test_a_job_in_pytorch_has_the_identity_that_it_had_before_there_were_runtimes(kind):
    plain = kind().model_dump(mode="json")
    assert set(plain) > LATER
    assert LATER.isdisjoint(kind.identity_of(plain))
    chosen = kind(**INT8, calibration_seed=1).model_dump(mode="json")
    assert set(kind.identity_of(chosen)) & LATER == {"runtime", "precision", "calibration_seed"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"runtime": "onxruntime"}, "runtime: unknown runtime 'onxruntime' \\(did you mean 'onnxruntime'"),
        ({"precision": "int8"}, "precision: eager cannot run int8, only fp32, bf16, fp16"),
        ({"runtime": "openvino", "quantisation": "dynamic"}, "quantisation: is of `precision: int8`"),
        ({**INT8, "quantisation": "dynamic", "calibration_images": 9}, "calibration_images: is of static"),
        ({**INT8, "calibration_images": 10**9}, "less than or equal to 10000"),
        (
            {**INT8, "runtime": "openvino", "quantisation": "dynamic"},
            "quantisation: openvino knows no dynamic one; set `quantisation: static`",
        ),
        ({"calibration_seed": 3}, "calibration_seed: is of static quantisation"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, reason):
    with pytest.raises(ValidationError, match=reason):
        RuntimeSpec(**settings)


@pytest.mark.parametrize("kind", [EvaluateSpec, RobustnessSpec])
def test_images_that_fix_the_ranges_are_never_those_that_are_tested(kind):
    with pytest.raises(ValidationError, match="split: images of 'train' fix the ranges of int8"):
        kind(**INT8, split="train")
    assert kind(**INT8).own_splits() == ("test", "train")
    assert kind(**INT8, quantisation="dynamic", split="train").own_splits() == ("train",)
    assert kind(split="train").own_splits() == ("train",)


def test_attacks_need_the_gradients_of_the_trained_form():
    with pytest.raises(
        ValidationError, match="metrics: fgsm_top1 needs gradients, which a model in eager in bf16"
    ):
        EvaluateSpec(precision="bf16", metrics=["top1", "fgsm_top1"])
    assert EvaluateSpec(metrics=["fgsm_top1"]).is_plain


def protocol(**settings):
    facets = Facets(split="test", n=100, more={"mine": 1}, version="1")
    calibrated = settings.get("calibration_images")
    return render_protocol(RuntimeSpec(**settings).in_facets(facets, "cpu", calibrated))


def test_every_setting_that_changes_a_number_shows_in_the_protocol(monkeypatch):
    monkeypatch.setattr("lsbench.runtimes._sessions.package_version", lambda name: "1.2")
    assert protocol(batch_size=8) == "test|n=100|mine=1|v1", "as it always was"
    assert protocol(precision="bf16") == "test|bf16|fused|eager|n=100|cpu|mine=1|v1"
    assert protocol(runtime="onnxruntime") == "test|fp32|fused|onnxruntime=1.2|opt=all|n=100|cpu|mine=1|v1"
    drawn = protocol(**INT8, calibration_images=64, calibration_seed=5)
    assert drawn == (
        "test|int8|static|calibrated=64|fused|onnxruntime=1.2|opt=all|n=100|cpu|mine=1|calibration_seed=5|v1"
    )
    anew = protocol(**INT8, quantisation="dynamic", batch_size=8)
    assert anew == "test|b=8|int8|dynamic|fused|onnxruntime=1.2|opt=all|n=100|cpu|mine=1|v1"


def test_it_runs_where_the_runtime_does():
    assert RuntimeSpec().devices() == ("cpu", "cuda")
    assert RuntimeSpec(runtime="openvino").devices() == ("cpu",)
    assert RuntimeSpec(runtime="tensorrt").devices() == ("cuda",)
