from dataclasses import replace

import numpy as np
import pytest

from lsbench.core.errors import ConfigError, MeasurementError
from lsbench.probes._programs import Workshop, check, check_runtime, remove_programs, tolerance, with_programs
from lsbench.probes._timing import ratio_record, time_alone
from lsbench.timing.records import create_request
from lsbench.timing.request import Built, Setting


def test_a_program_is_built_once_for_each_model_and_batch_and_then_loaded(context_of, asked, tmp_path):
    events = []
    context = replace(context_of(runtime="onnxruntime", control={"model": "resnet18"}), emit=events.append)
    timed = time_alone(context, 32, batch=1, min_samples=20)
    ratio_record(context, 32, "latency_ratio", batch=1, is_rate=False)
    time_alone(context, 32, batch=4, min_samples=20)
    actions = [(request.action, request.subject.model, request.batch_size) for request in asked]
    assert actions == [
        ("build", "lsnet_nano", 1),
        ("time", "lsnet_nano", 1),
        ("build", "resnet18", 1),
        ("time", "lsnet_nano", 1),
        ("build", "lsnet_nano", 4),
        ("time", "lsnet_nano", 4),
    ]
    assert asked[1].programs == asked[0].programs
    assert asked[3].programs == (*asked[0].programs, *asked[2].programs)
    assert len({*asked[3].programs, *asked[5].programs}) == 3
    assert [event["what"] for event in events][:1] == ["lsnet_nano in onnxruntime"]
    assert np.load(asked[0].images).shape == (20, 3, 32, 32), "the data set has no more test images"
    assert asked[0].calibration is None
    assert timed.facets.unfused_norms == 3
    assert timed.setting()["runtime"][0]["seconds"] == {"export": 2.0}
    told = {record.metric: record.value for record in timed.check_records()}
    assert told == {"runtime_difference": 1e-6, "runtime_agreement": 1.0}
    remove_programs(context)
    assert not (tmp_path / "programs").exists()


def test_int8_is_calibrated_on_training_images(context_of, asked):
    time_alone(context_of(runtime="openvino", precision="int8"), 32, batch=1, min_samples=20)
    assert np.load(asked[0].calibration).shape == (40, 3, 32, 32)
    assert not np.array_equal(np.load(asked[0].calibration)[:20], np.load(asked[0].images))


def test_compiled_code_is_checked_and_has_no_program(context_of, asked):
    request = create_request(context_of(runtime="compile"), 32, batch_size=2)
    request, [built] = with_programs(Workshop.of(context_of()), 32, request)
    assert request.programs == ()
    assert built.images == 32


def test_pytorch_as_it_is_needs_no_check(context_of, asked):
    request = create_request(context_of(), 32)
    assert with_programs(Workshop.of(context_of()), 32, request) == (request, [])
    assert time_alone(context_of(), 32, batch=1, min_samples=20).check_records() == []
    assert [one.action for one in asked] == ["time"]


@pytest.mark.parametrize(
    ("settings", "difference", "line"),
    [
        (
            {},
            2e-4,
            r"differences of up to 2.0e-04 of the largest logit \(1e-04 is allowed\), and",
        ),
        ({}, None, "some logits are NaN or infinite in fp32; not timed"),
        ({"precision": "int8"}, None, "some logits are NaN or infinite in int8; not timed"),
    ],
)
def test_a_model_that_differs_is_not_timed(settings, difference, line, context_of):
    request = create_request(context_of(runtime="openvino", **settings), 32)
    built = Built(seconds={}, difference=difference, agreement=0.5, images=32)
    with pytest.raises(MeasurementError, match=rf"^lsnet_nano in openvino \S+: .*{line}"):
        check(request, built)


def test_low_precision_is_recorded_however_much_it_differs(context_of):
    request = create_request(context_of(runtime="openvino", precision="int8"), 32)
    check(request, Built(seconds={}, difference=0.3, agreement=0.5, images=32))
    assert tolerance(create_request(context_of(), 32)) == 1e-4
    on_gpu = replace(context_of(), device="cuda")
    assert tolerance(create_request(on_gpu, 32)) == 1e-2


def test_a_detector_runs_in_pytorch_alone():
    check_runtime(Setting(), "cpu", is_whole=True)
    with pytest.raises(ConfigError, match="onnxruntime: a detector or segmenter runs in eager or compile"):
        check_runtime(Setting(runtime="onnxruntime"), "cpu", is_whole=True)
