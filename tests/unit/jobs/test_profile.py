import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from lsbench.core.errors import ConfigError
from lsbench.core.job import BuiltOn, JobContext, Variant
from lsbench.jobs.profile import JOB, ProfileSpec, warn_of_other_size
from lsbench.models.macs import count_macs
from lsbench.probes._expected import PROCESS_S
from lsbench.suite.models import models_of
from lsbench.suite.parsed import parsed_once
from lsbench.timing.passes import create_images, create_subject
from lsbench.timing.request import Reply, Setting


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"probes": ["latncy"]}, r"unknown probe 'latncy' \(did you mean 'latency'\?\)"),
        ({"control": "lsnet_nanu"}, "did you mean 'lsnet_nano'"),
        ({"control": {"model": "lsnet_nanu"}}, "did you mean 'lsnet_nano'"),
        ({"control": {"model": "lsnet_nano", "mixer": "swim"}}, "did you mean 'swin'"),
        ({"control": {"mixer": "swin"}}, "model"),
        ({"probes": ["latency_ratio"]}, "compares with a control model: give `control`"),
        ({"min_s": 30}, r"min_s: expected at most max_s \(20\), found 30"),
        ({"batch_size": "most"}, "max"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"precision": "int8"}, "precision: eager cannot run int8, only fp32, bf16, fp16 on a CPU"),
        ({"runtime": "onnxruntim"}, r"unknown runtime 'onnxruntim' \(did you mean 'onnxruntime'\?\)"),
        (
            {"runtime": "onnxruntime", "precision": "bf16"},
            "onnxruntime cannot run bf16, only fp32, int8",
        ),
        (
            {"runtime": "openvino", "compiled": True},
            "compiled: is `runtime: compile`, found",
        ),
        ({"quantisation": "dynamic"}, "quantisation: is of `precision: int8`"),
        (
            {"runtime": "openvino", "precision": "int8", "quantisation": "dynamic"},
            "quantisation: openvino knows no dynamic one; set",
        ),
        (
            {"runtime": "openvino", "batch_size": "max"},
            "batch_size: with `runtime: openvino`: .* number",
        ),
        (
            {"runtime": "aot", "channels_last": True},
            "channels_last: with `runtime: aot`: it chooses",
        ),
        ({"runtime": "aot", "cuda_graphs": True}, "cuda_graphs: with `runtime: aot`: are of PyTorch"),
        ({"runtime": "aot", "of": "retinanet"}, "of: with `runtime: aot`: .* runs in eager or compile"),
        ({"of": "yolo"}, "retinanet"),
        ({"head": {"channels": 64}}, "head: is of a detector or segmenter; give `of`"),
        ({"dataset": "coco"}, "dataset: is of a detector or segmenter"),
        ({"of": "retinanet", "head": {"widht": 64}}, r"head: widht: .*\(retinanet has channels"),
        ({"of": "retinanet", "dataset": "fashion_ade"}, "expected one for detection, found 'fashion_ade'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, expected):
    with pytest.raises(ValidationError, match=expected):
        ProfileSpec(**settings)


def test_it_runs_once_per_variant_alone_and_looks_at_no_image():
    assert not JOB.per_seed
    assert not JOB.uses_data
    assert JOB.resources.exclusive == "device"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["params", "macs", "latency", "throughput"]),
        ({"control": "lsnet_nano", "probes": ["latency", "macs"]}, ["latency", "latency_ratio", "macs"]),
        ({"control": "lsnet_nano", "probes": ["latency_ratio"]}, ["latency_ratio"]),
        (
            {"control": "lsnet_nano", "probes": ["throughput_ratio", "throughput"]},
            ["throughput_ratio", "throughput"],
        ),
    ],
)
def test_a_control_adds_a_comparison_to_every_timing(settings, expected):
    assert list(ProfileSpec(**settings).all_probes()) == expected


def test_a_control_is_a_name_or_a_model():
    assert ProfileSpec().control_model() is None
    assert ProfileSpec(control="lsnet_nano").control_model().mixer is None
    control = {"model": "lsnet_nano", "mixer": "swin", "mixer_args": {"window": 7}}
    assert ProfileSpec(control=control).control_model().model_dump() == {**control, "model_args": {}}


def test_the_usual_runtime_and_its_compiler_leave_the_ids_of_jobs_as_they_were():
    def identity(**settings):
        return ProfileSpec.identity_of(ProfileSpec(**settings).model_dump(mode="json"))

    assert not identity().keys() & {"runtime", "quantisation"}
    assert identity(runtime="compile") == identity(compiled=True) == {**identity(), "compiled": True}
    assert identity(runtime="onnxruntime")["runtime"] == "onnxruntime"


def test_a_runtime_that_this_machine_lacks_ends_the_job_before_it_starts(run):
    with pytest.raises(ConfigError, match="runtime: tensorrt runs on a GPU, not on a CPU"):
        run(runtime="tensorrt")


def test_its_settings_reach_the_timing():
    spec = ProfileSpec(
        threads=2, precision="bf16", fused=True, channels_last=True, compiled=True, target_noise=0.02, max_s=3
    )
    form = {"precision": "bf16", "channels_last": True, "fused": True, "runtime": "compile"}
    assert spec.setting() == Setting(**form, threads=2)
    budget = spec.budget(min_samples=33)
    assert (budget.target_noise, budget.max_s, budget.min_samples) == (0.02, 3, 33)


@pytest.fixture
def run(tiny, make_graph, tmp_path):
    job = next(job for job in make_graph(tiny).jobs if job.label == "id/profile")

    def start(keep=lambda records: None, **settings):
        events = []
        context = JobContext(job, ProfileSpec(**settings), tmp_path, {}, "cpu", events.append, keep)
        return {record.metric: record for record in JOB.run(context)}, events

    return start


def test_only_the_probes_asked_for_are_run_in_their_order(run):
    records, events = run(probes=("macs", "params"))
    assert list(records) == ["macs", "macs_paper", "uncounted_ops", "params", "params_fused"]
    assert [event["what"] for event in events] == ["macs", "params"]


def test_a_timing_comes_from_a_process_of_its_own_and_says_how_it_went(run, tmp_path):
    # However busy the machine is that runs the tests.
    records, events = run(
        probes=("latency",), min_s=0, max_s=0.2, max_disturbed=1, max_other_cpus=999, target_noise=0.5
    )
    latency = records["latency_ms"]
    with np.load(tmp_path / "samples_latency_ms.npz") as found:
        assert latency.value == np.median(found["samples"]) > 0
        assert latency.n == len(found["samples"])
        assert not found["is_disturbed"].any()
    assert latency.setting["stopped_by"] in ("noise", "time")
    assert latency.setting["verdict"] == "ok"
    assert records["peak_memory_mib"].value > records["peak_memory_mib"].setting["base_memory_mib"]
    assert len(events) == 1


def test_exact_figures_are_kept_before_anything_is_timed(run, monkeypatch):
    kept = []

    def stopped(request):
        assert [record.metric for record in kept] == [
            *("macs", "macs_paper", "uncounted_ops"),
            *("params", "params_fused"),
        ]
        raise KeyboardInterrupt

    monkeypatch.setattr("lsbench.probes._timing.run_apart", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(kept.extend, probes=("latency", "macs", "params"))
    assert len(kept) == 5


def test_timings_are_not_kept_early_and_watchers_know_the_probe(run, monkeypatch):
    def answer(request):
        if request.action == "fit":
            return Reply(batch_size=2, batch_ended_by="time")
        return Reply(seconds=[1e-3] * 400, is_disturbed=[False] * 400, passes=400, peak_memory_mib=70.0)

    monkeypatch.setattr("lsbench.probes._timing.run_apart", answer)
    kept = []
    records, events = run(kept.extend, batch_size="max")
    assert {"latency_ms", "throughput"} <= records.keys()
    counted = {"params", "params_fused", "macs", "macs_paper", "uncounted_ops"}
    assert {record.metric for record in kept} == counted
    assert [(event["step"], event["what"]) for event in events] == [
        (0, "params"),
        (1, "macs"),
        (2, "latency"),
        (3, "throughput"),
        (3, "throughput, batches of 2: the time for the search is spent"),
    ]
    assert {(event["ev"], event["steps"]) for event in events} == {("step", 4)}
    assert [event["share"] + event["part"] for event in events[:3]] == [
        pytest.approx(event["share"]) for event in events[1:4]
    ]
    assert events[-1]["share"] + events[-1]["part"] == pytest.approx(1.0)


def test_a_size_that_published_weights_are_not_evaluated_at_is_told(tiny, make_graph, tmp_path):
    tiny["variants"] = [
        {
            "name": f"at{size}",
            "model": "test_efficientnet",
            "model_args": {"pretrained": True},
            "dataset": {"img_size": size},
        }
        for size in (32, 160)
    ]
    tiny.pop("baseline", None)
    told = {}
    for job in make_graph({**tiny, "jobs": ["profile"]}).jobs:
        events = []
        trained = job.model_copy(update={"variant": job.variant.model_copy(update={"model_args": {}})})
        context = JobContext(job, ProfileSpec(probes=["params"]), tmp_path, {}, "cpu", events.append)
        for one in (context, dataclasses.replace(context, job=trained)):
            warn_of_other_size(one, job.variant.dataset["img_size"])
        told[job.variant.name] = [event["message"] for event in events]
    assert told == {
        "at32": [
            "cost is measured on images of 32 px, and its published weights are evaluated on 160 px; give "
            "the row `dataset: {img_size: 160}`"
        ],
        "at160": [],
    }


@pytest.mark.parametrize(
    ("settings", "is_folded"),
    [
        ({"model": "resnet50"}, True),
        ({"model": "resnet50.a1_in1k", "probes": ["macs"]}, True),
        ({"model": "resnet50", "probes": ["params", "latency"]}, False),
        ({"model": "resnet50", "probes": ["latency"], "fused": True}, True),
        ({"model": "resnet50", "probes": ["params"], "fused": True}, False),
        ({"model": "acme_net"}, True),
        ({"mixer": "acme_mix"}, True),
        ({}, False),
        ({"fused": True, "mixer": "large_small_static"}, False),
        ({"model": "deit_tiny_patch16_224", "fused": True}, False),
        ({"probes": ["latency_ratio"], "control": "resnet50"}, False),
        ({"probes": ["latency_ratio"], "control": "resnet50", "fused": True}, True),
        ({"of": "retinanet"}, False),
        ({"of": "semantic_fpn"}, 1),
        ({"of": "semantic_fpn", "probes": ["latency"]}, 0),
        ({"of": "semantic_fpn", "probes": ["latency"], "fused": True}, 1),
        ({"of": "semantic_fpn", "model": "resnet50"}, 2),
    ],
)
def test_the_version_is_higher_where_folding_changes_numbers(settings, is_folded, monkeypatch):
    settings = dict(settings)
    monkeypatch.setattr("lsbench.jobs.profile.unknown_model", lambda name: None)
    model, mixer = settings.pop("model", "lsnet_nano"), settings.pop("mixer", None)
    variant = Variant(name="row", model=model, mixer=mixer, dataset={"name": "imagenet"})
    assert ProfileSpec(**settings).raised_by(variant) == is_folded


def test_results_of_models_that_are_not_folded_stay_done(tiny, make_graph):
    tiny["variants"] = [{"name": "own"}, {"name": "folded", "model": "resnet18"}]
    tiny.pop("baseline", None)
    versions = {job.label: job.protocol_version for job in make_graph(tiny).jobs if job.kind == "profile"}
    assert versions == {"own/profile": JOB.version, "folded/profile": JOB.version + 1}


def test_the_cost_counts_single_images_and_batches():
    assert JOB.cost(ProfileSpec(batch_size=4), 1e6, lambda split: 0) == pytest.approx(
        1e6 * (1 + 500 + 40 * 4)
    )
    assert JOB.cost(ProfileSpec(probes=["params"]), 1e6, lambda split: 0) == 1e6
    twice = ProfileSpec(probes=["latency"], control="lsnet_nano")
    assert JOB.cost(twice, 1e6, lambda split: 0) == pytest.approx(1e6 * (1 + 500 + 500))
    assert JOB.cost(ProfileSpec(batch_size="max"), 1e6, lambda split: 0) > 1e6 * 40 * 64


def test_the_seconds_are_those_of_its_measurements_and_a_limit_shortens_them():
    spec = ProfileSpec(max_s=10, processes=3, probes=("params", "latency"))
    assert JOB.seconds(spec, 1e6, None) == 1 + 10 + 3 * PROCESS_S
    assert JOB.seconds(spec, 1e6, 1) < 1 + 4 + 3 * PROCESS_S
    assert JOB.seconds(spec, 1e12, 1) == 1 + 10 + 3 * PROCESS_S
    controlled = ProfileSpec(max_s=10, processes=3, probes=("params", "latency"), control="lsnet_nano")
    assert JOB.seconds(controlled, 1e6, None) == 1 + 2 * (10 + 3 * PROCESS_S)
    largest = JOB.seconds(ProfileSpec(batch_size="max", max_s=8, probes=("throughput",)), 1e6, None)
    assert largest == 2 * PROCESS_S + 8 + 2


SMALL = {
    "of": "maskrcnn",
    "dataset": {"name": "fashion_coco", "img_size": 64},
    "head": {"channels": 8, "box_channels": 16, "proposals": 20},
}
#: A profile of the whole detector, beside one of its backbone.
BOTH = [
    {"profile": {"probes": ["params", "macs"]}},
    {"profile": {"name": "whole", "probes": ["params", "macs", "latency"], **SMALL}},
]


def jobs_of(make_graph, tiny, jobs):
    found = make_graph({**tiny, "jobs": jobs}).jobs
    return {job.name: job for job in found if job.variant.name == "id"}


def context_for(job, folder):
    return JobContext(job, ProfileSpec(**job.spec), folder, needs={}, device="cpu", emit=lambda event: None)


def test_a_whole_detector_is_counted_and_timed_at_the_padded_size(make_graph, tiny, tmp_path, monkeypatch):
    requests = []

    def answer(request):
        requests.append(request)
        return Reply(seconds=[0.5] * 400, is_disturbed=[False] * 400)

    monkeypatch.setattr("lsbench.probes._timing.run_apart", answer)
    jobs = jobs_of(make_graph, tiny, BOTH)
    found = {one.metric: one for one in JOB.run(context_for(jobs["whole"], tmp_path))}
    plain = {one.metric: one for one in JOB.run(context_for(jobs["profile"], tmp_path))}
    assert not found.keys() & plain.keys(), "no number of the whole is in a column of the backbone"
    assert {"maskrcnn_params", "maskrcnn_macs", "maskrcnn_macs_paper", "maskrcnn_latency_ms"} <= found.keys()
    assert found["maskrcnn_latency_ms"].value == 500
    told = "padded=64x64|model=maskrcnn|classes=5|head=box_channels:16,channels:8,proposals:20"
    assert found["maskrcnn_latency_ms"].protocol == f"b=1|fp32|nchw|unfused|eager|cpu|threads=1|{told}|v2"
    assert found["maskrcnn_macs"].protocol == f"fvcore|unfused|{told}|v1"
    assert found["maskrcnn_uncounted_ops"].setting["uncounted_ops"]["roi_align"] > 0
    [request] = requests
    assert (request.whole, request.num_classes, request.img_size) == ("maskrcnn", 5, (64, 64))
    model = create_subject(request.subject, request)
    images = create_images(1, request.img_size, request.setting, "cpu")
    macs = count_macs(model, (3, 64, 64))
    assert macs.total == found["maskrcnn_macs"].value
    assert len(model(images)) > 1
    params = sum(parameter.numel() for parameter in model.parameters())
    assert params == found["maskrcnn_params"].value > plain["params"].value


def test_ids_of_earlier_profiles_stay_and_that_of_a_whole_follows_its_data_set(make_graph, tiny):
    jobs = jobs_of(make_graph, tiny, BOTH)
    assert not {"of", "head", "dataset"} & ProfileSpec.identity_of(jobs["profile"].spec).keys()
    wider = [{"profile": {"name": "whole", **SMALL, "dataset": {"name": "fashion_coco", "img_size": 96}}}]
    assert jobs_of(make_graph, tiny, wider)["whole"].id != jobs["whole"].id


def test_a_whole_takes_single_images_by_default_and_is_tried_before_the_first_job(make_graph, tiny):
    job = jobs_of(make_graph, tiny, BOTH)["whole"]
    assert job.spec["batch_size"] == 1
    [built] = [one for one in models_of(parsed_once([job])) if isinstance(one, BuiltOn)]
    assert (built.built_as, built.sizes) == ("maskrcnn", SMALL["head"])
