import dataclasses
from importlib.metadata import version

import numpy as np
import pytest

from lsbench.core.facets import Facets, render_protocol
from lsbench.core.job import JobContext
from lsbench.jobs.profile import ProfileSpec
from lsbench.timing.records import Timed, create_request, save_samples, timing_facets
from lsbench.timing.request import Reply, TimedModel


@pytest.fixture
def context(tiny, make_graph, tmp_path):
    job = next(job for job in make_graph(tiny).jobs if job.label == "id/profile")
    spec = ProfileSpec(threads=3, fused=True, control="lsnet_nano", max_s=8)
    return JobContext(job=job, spec=spec, folder=tmp_path, needs={}, device="cpu", emit=print)


def test_a_request_is_the_jobs_model_in_the_specs_setting(context):
    request = create_request(context, 32, batch_size=4, min_samples=50)
    assert request.subject == TimedModel(model="lsnet_nano", mixer="identity")
    assert (request.num_classes, request.img_size, request.batch_size) == (10, 32, 4)
    assert (request.setting.threads, request.setting.fused, request.device) == (3, True, "cpu")
    assert (request.budget.min_samples, request.budget.max_s) == (50, 8)
    assert request.control is None
    assert create_request(context, 32, with_control=True).control.model == "lsnet_nano"


@pytest.mark.parametrize(("limit", "least"), [(1, 1), (9, 6)])
def test_a_limit_bounds_the_passes_and_shows_in_the_protocol(limit, least, context):
    short = dataclasses.replace(context, job=context.job.model_copy(update={"limit": limit}))
    request = create_request(short, 32, min_samples=50)
    budget = request.budget
    assert (budget.max_samples, budget.min_s, budget.max_s) == (limit, 0, 2)
    assert budget.min_samples == least
    expected = f"b=1|fp32|nchw|fused|eager|res=32|cpu|threads=3|passes={limit}|v2"
    assert protocol_of(request, batch=1) == expected


def protocol_of(request, batch):
    return render_protocol(timing_facets(request, Reply(), batch=batch))


def test_what_fusing_left_shows_in_the_protocol(context):
    facets = timing_facets(create_request(context, 32), Reply(unfused_norms=2), batch=1)
    assert "|fused|unfused_norms=2|eager|" in render_protocol(facets)


def test_every_setting_of_a_timing_shows_in_its_protocol(context):
    request = create_request(context, 32)
    plain = request.setting.model_copy(update={"fused": False})
    changes = {"precision": "fp16", "fused": True, "channels_last": True, "runtime": "compile", "threads": 2}
    settings = [plain, *(plain.model_copy(update={name: value}) for name, value in changes.items())]
    settings.append(plain.model_copy(update={"cuda_graphs": True}))
    protocols = [protocol_of(request.model_copy(update={"setting": one}), batch=1) for one in settings]
    assert len(set(protocols)) == len(settings)
    assert protocols[0] == "b=1|fp32|nchw|unfused|eager|res=32|cpu|threads=3|v2"
    assert "|eager+graph|" in protocols[-1]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"runtime": "onnxruntime"}, "fp32|fused|onnxruntime={onnxruntime}|opt=all"),
        ({"runtime": "openvino", "precision": "bf16"}, "bf16|fused|openvino={openvino}|opt=latency"),
        ({"runtime": "openvino", "precision": "int8"}, "int8|static|fused|openvino={openvino}|opt=latency"),
        (
            {"runtime": "onnxruntime", "precision": "int8", "quantisation": "dynamic"},
            "int8|dynamic|fused|onnxruntime={onnxruntime}|opt=all",
        ),
        ({"runtime": "aot"}, "fp32|fused|aot={torch}|opt=inductor"),
        ({"runtime": "compile"}, "fp32|nchw|fused|compiled"),
    ],
)
def test_the_protocol_names_the_runtime_its_version_and_its_optimisation(form, told, context):
    request = create_request(context, 32)
    request = request.model_copy(update={"setting": request.setting.model_copy(update=form)})
    versions = {name: version(name) for name in ("onnxruntime", "openvino", "torch")}
    assert protocol_of(request, batch=1) == f"b=1|{told.format(**versions)}|res=32|cpu|threads=3|v2"


def test_protocols_tell_apart_whatever_must_not_be_compared(context):
    request = create_request(context, 32)
    assert protocol_of(request, batch=1) == "b=1|fp32|nchw|fused|eager|res=32|cpu|threads=3|v2"
    gpu = request.model_copy(update={"device": "cuda"})
    assert protocol_of(gpu, batch="max") == "b=max|fp32|nchw|fused|eager|res=32|cuda|v2"
    on_a_gpu = Reply(device_model="NVIDIA H200", tf32="conv")
    told = render_protocol(timing_facets(gpu, on_a_gpu, batch=1))
    assert told == "b=1|fp32|nchw|fused|eager|res=32|cuda|NVIDIA H200|tf32=conv|v2"
    controls = [
        TimedModel(model="lsnet_nano"),
        TimedModel(model="lsnet_nano", mixer="swin"),
        TimedModel(model="lsnet_nano", mixer="swin", mixer_args={"window": 7}),
    ]
    beside = [protocol_of(request.model_copy(update={"control": control}), batch=1) for control in controls]
    assert "|control=lsnet_nano|v2" in beside[0]
    assert "|control=lsnet_nano+swin|v2" in beside[1]
    assert "|control=lsnet_nano+swin+" in beside[2]
    assert len(set(beside)) == 3


@pytest.fixture
def timed_of(context):
    def create(seconds, disturbed=0, **reply):
        """Return a timing of which the first `disturbed` samples are marked."""
        seconds = list(seconds)
        marks = [i < disturbed for i in range(len(seconds))]
        causes = {"other processes on the CPUs": disturbed} if disturbed else {}
        found = Reply(seconds=seconds, is_disturbed=marks, disturbed_by=causes, passes=len(seconds), **reply)
        return Timed(create_request(context, 32, batch_size=4), found, Facets(method="p", version="2"))

    return create


def test_a_record_is_the_median_of_the_undisturbed_samples_with_an_interval(timed_of):
    values = np.array([900.0, 900.0, *np.linspace(1, 11, 11)])
    record = timed_of(values, disturbed=2, stopped_by="noise").to_record("latency_ms", values)
    assert (record.value, record.unit, record.n, record.protocol) == (6.0, "ms", 11, "p|v2")
    assert 1 <= record.ci_low < 6 < record.ci_high <= 11
    setting = record.setting
    assert (setting["verdict"], setting["stopped_by"]) == ("ok", "noise")
    assert setting["disturbed_share"] == pytest.approx(2 / 13, abs=1e-4)
    assert setting["rel_noise"] == pytest.approx((record.ci_high - record.ci_low) / 12)
    assert (setting["p25"], setting["p75"], setting["batch_size"]) == (3.5, 8.5, 4)


def test_too_many_disturbed_samples_give_no_number_and_a_reason(timed_of):
    values = np.ones(10)
    record = timed_of(values, disturbed=3).to_record("latency_ms", values)
    assert (record.value, record.ci_low, record.n) == (None, None, 7)
    assert record.setting["verdict"] == "inconclusive"
    assert record.setting["inconclusive"] == (
        "30% of the samples were disturbed (other processes on the CPUs), at most 25% may be"
    )
    assert timed_of(np.ones(12), disturbed=3).to_record("latency_ms", np.ones(12)).value == 1.0


@pytest.mark.parametrize(("share", "needed"), [(0.5, 6), (0.9, 36), (0.99, 368)])
def test_a_quantile_that_so_few_samples_do_not_show_is_no_number(share, needed, timed_of):
    few, enough = np.ones(needed - 1), np.ones(needed)
    record = timed_of(few).to_record("latency_p99_ms", few, share=share)
    assert record.value is None
    assert f"an interval of this quantile needs {needed}" in record.setting["inconclusive"]
    assert record.setting["samples_needed"] == needed
    assert timed_of(enough).to_record("latency_p99_ms", enough, share=share).value == 1.0


def test_a_limited_median_has_no_interval_and_is_marked(timed_of):
    values = np.array([1.0, 3.0, 2.0])
    unlimited = timed_of(values)
    budget = unlimited.request.budget.model_copy(update={"max_samples": 3})
    request = unlimited.request.model_copy(update={"budget": budget})
    limited = dataclasses.replace(unlimited, request=request)
    record = limited.to_record("latency_ms", values)
    assert (record.value, record.n, record.ci_low, record.ci_high) == (2.0, 3, None, None)
    assert (record.setting["verdict"], record.setting["limit"]) == ("limited", 3)
    assert "inconclusive" not in record.setting, "measuring again would give no more"
    assert limited.to_record("latency_p99_ms", values, share=0.99).value is None
    assert unlimited.to_record("latency_ms", values).value is None
    assert "limit" not in unlimited.to_record("latency_ms", values).setting
    disturbed = dataclasses.replace(timed_of(values, disturbed=2), request=request)
    assert disturbed.to_record("latency_ms", values).setting["verdict"] == "inconclusive"


def test_memory_and_energy_are_none_where_they_cannot_be_told(timed_of):
    told = timed_of(np.ones(10), peak_memory_mib=50.0, peak_device_memory_mib=20.0, energy_j=80.0)
    values = {record.metric: record.value for record in told.resource_records()}
    assert values == {"peak_memory_mib": 50.0, "peak_device_memory_mib": 20.0, "energy_per_image_j": 2.0}
    untold = timed_of(np.ones(10), peak_memory_mib=50.0)
    values = {record.metric: record.value for record in untold.resource_records()}
    assert values == {"peak_memory_mib": 50.0, "peak_device_memory_mib": None, "energy_per_image_j": None}


def test_energy_that_others_took_part_of_is_not_told(timed_of):
    [*_, energy] = timed_of(np.ones(10), disturbed=9, energy_j=80.0).resource_records()
    assert energy.value is None


def test_raw_samples_are_kept(context):
    save_samples(
        context, "latency_ms", {"samples": np.arange(3.0), "is_disturbed": np.array([True, False, True])}
    )
    with np.load(context.folder / "samples_latency_ms.npz") as found:
        assert found["samples"].tolist() == [0, 1, 2]
        assert found["is_disturbed"].dtype == bool
