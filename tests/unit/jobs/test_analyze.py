import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from torch import nn

from lsbench.analyses import Analysis, Findings
from lsbench.core.errors import StoreError
from lsbench.core.job import JobContext
from lsbench.core.registry import ANALYSES
from lsbench.engine import weights
from lsbench.engine.classify import create_variant
from lsbench.engine.open_data import open_data
from lsbench.jobs import analyze as job_module
from lsbench.jobs.analyze import JOB, AnalyzeSpec, write_findings


@pytest.fixture
def create_context(tiny, make_graph, tmp_path):
    """Create the context of an analysis after trainings with known weights."""

    def create(kind, *, label="ls/job/seed0", **settings):
        entry = {"analyze": {"kind": kind, "name": "job", "num_images": 6, "batch_size": 4, **settings}}
        graph = make_graph({**tiny, "jobs": ["train", entry]})
        jobs = {job.label: job for job in graph.jobs}
        by_id = {job.id: job for job in graph.jobs}
        job = jobs[label]
        needs = {}
        for name, needed in job.needs.items():
            needs[name] = tmp_path / str(needed)
            own = by_id[needed]
            needs[name].mkdir(exist_ok=True)
            (needs[name] / "spec.json").write_text(own.model_dump_json())
            torch.manual_seed(len(own.variant.name))
            training = JobContext(own, None, tmp_path, {}, "cpu", print)
            model = create_variant(training, open_data(training))
            weights.save(needs[name] / weights.WEIGHTS, model.state_dict())
        spec = AnalyzeSpec.model_validate(job.spec)
        return JobContext(job, spec, tmp_path / "job", needs, "cpu", events.append)

    events = []
    create.events = events
    return create


def test_it_writes_arrays_pictures_and_numbers_of_the_trained_model(create_context):
    context = create_context("erf")
    records = JOB.run(context)
    assert [record.metric for record in records] == [f"erf_area_{share}" for share in (20, 30, 50, 99)]
    assert {record.protocol for record in records} == {"erf|test|res=32|n=6|v1.1"}
    assert {record.unit for record in records} == {"fraction"}
    assert sorted(path.name for path in context.folder.iterdir()) == ["erf.npz", "erf.png", "erf.svg"]
    assert np.load(context.folder / "erf.npz")["field"].shape == (32, 32)
    assert create_context.events[-1] == {"ev": "step", "step": 6, "steps": 6, "what": "erf"}
    [state] = context.needs.values()
    (state / weights.WEIGHTS).unlink()
    with pytest.raises(StoreError, match="add a train job"):
        JOB.run(context)


def test_a_model_without_what_is_looked_at_leaves_a_hole_with_the_reason(create_context):
    context = create_context("aggregation", label="id/job/seed0")
    records = JOB.run(context)
    assert {record.value for record in records} == {None}
    assert "Identity predicts no weights" in records[0].setting["missing"]
    assert not context.folder.exists()
    assert create_context.events[-1]["ev"] == "warning"


def test_the_same_findings_give_the_same_files(tmp_path):
    found = Findings({"field": np.eye(8) / 8, "shares": np.array([0.5])})
    for folder in ("one", "two"):
        write_findings(tmp_path / folder, "erf", "a model", ANALYSES.load("erf"), found)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_numbers_of_each_image_have_an_interval(create_context):
    [lkp, ska] = JOB.run(create_context("feature_maps", weights="fresh"))
    assert (lkp.metric, ska.metric) == ("lkp_map_entropy", "ska_map_entropy")
    assert lkp.ci_low < lkp.value < lkp.ci_high
    assert lkp.protocol == "feature_maps|test|fresh|res=32|n=6|v1.1"


@pytest.mark.parametrize(
    ("weights", "arguments", "title"),
    [("fresh", {}, "ls (random weights)"), ("fresh", {"pretrained": True}, "ls"), ("last", {}, "ls")],
)
def test_a_picture_of_random_weights_says_so(create_context, monkeypatch, weights, arguments, title):
    context = create_context("erf", weights=weights)
    context.job.variant.model_args.update(arguments)
    titles = []
    found = Findings({})
    analysis = Analysis(lambda subject: found, lambda arrays, figure, title: titles.append(title), ())
    subject = SimpleNamespace(title="ls", images=[], model=nn.Identity())
    monkeypatch.setattr(job_module, "_subject", lambda *_: subject)
    monkeypatch.setattr(job_module, "ANALYSES", SimpleNamespace(load=lambda name: analysis))
    JOB.run(context)
    assert titles == [title]
    told = [event["message"] for event in create_context.events if event["ev"] == "warning"]
    assert [line.startswith("erf: ls has random weights") for line in told] == [True] * ("(" in title)


def test_two_variants_are_compared_after_both_trainings(create_context):
    context = create_context("cka", other="id")
    assert list(context.needs) == ["train", "train@id"]
    records = {record.metric: record for record in JOB.run(context)}
    assert set(records) == {"cka_mean", "cka_same_depth"}
    assert records["cka_mean"].protocol == "cka|test|other=id|batch=4|res=32|n=6|v1.1"
    assert records["cka_same_depth"].value < 0.999
    saved = np.load(context.folder / "cka.npz")
    assert str(saved["other"]) == "id"
    itself = {record.metric: record for record in JOB.run(create_context("cka", other="ls"))}
    assert itself["cka_same_depth"].value == pytest.approx(1)


def test_a_job_on_two_variants_comes_after_both_and_brings_both_along(tiny, make_graph):
    entry = {"analyze": {"kind": "cka", "other": "id"}}
    graph = make_graph({**tiny, "jobs": ["train", entry]})
    labels = [job.label for job in graph.jobs]
    jobs = {job.label: job for job in graph.jobs}
    cka = jobs["ls/cka/seed1"]
    assert cka.needs == {"train": jobs["ls/train/seed1"].id, "train@id": jobs["id/train/seed1"].id}
    assert max(labels.index(f"{row}/train/seed1") for row in ("ls", "id")) < labels.index(cka.label)
    from lsbench.suite.graph import with_needs

    assert [job.label for job in with_needs(graph, {"ls/cka/seed1"})] == [
        "ls/train/seed1",
        "id/train/seed1",
        "ls/cka/seed1",
    ]


def test_the_name_of_the_other_row_is_no_part_of_the_id_but_its_training_is(tiny, make_graph):
    def id_of(content):
        jobs = {job.label: job.id for job in make_graph(content).jobs}
        return jobs["ls/cka/seed0"]

    tiny["jobs"] = ["train", {"analyze": {"kind": "cka", "other": "id"}}]
    usual = id_of(tiny)
    renamed = json.loads(json.dumps(tiny).replace('"id"', '"plain"'))
    assert id_of(renamed) == usual
    tiny["jobs"][1]["analyze"]["other"] = "ls"
    assert id_of(tiny) != usual


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "fouriers"}, "did you mean 'fourier'"),
        ({"kind": "erf", "other": "x"}, "takes one model"),
        ({"kind": "cka", "other": "x", "weights": "pretrained"}, "after training"),
        ({"num_images": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        AnalyzeSpec(**settings)


def test_needs_and_cost():
    assert AnalyzeSpec.needed_kinds({"weights": "pretrained"}, ("train",)) == ()
    assert AnalyzeSpec.needed_kinds({}, ("train",)) == ("train",)
    assert JOB.cost(AnalyzeSpec(num_images=50), 2.0, lambda split: 20) == 2 * 20 * 3

    class Training:
        ema_decay = None

    with pytest.raises(ValueError, match="ema_decay"):
        AnalyzeSpec(weights="ema").check_need(Training())


SCENES = {"img_size": 64, "train_images": 1, "test_images": 6}
HEADS = {
    "detections": {"channels": 16, "box_channels": 16, "proposals": 20},
    "segmentation": {"channels": 16, "head_channels": 16},
}


@pytest.fixture
def create_downstream_context(tiny, make_graph, tmp_path):
    """Create the context of an analysis of a detector or segmenter with random weights."""

    def create(kind, **settings):
        tiny["defaults"]["model_args"] = {"stem_stride": 8, "pretrained": False}
        tiny["variants"] = [{"name": "id", "mixer": "identity"}]
        data = {"name": "fashion_ade" if kind == "segmentation" else "fashion_coco", **SCENES}
        usual = {"dataset": data, "num_images": 5, "weights": "fresh", "head": HEADS[kind]}
        tiny["jobs"] = ["train", {"analyze": {"kind": kind, **usual, **settings}}]
        job = next(job for job in make_graph(tiny).jobs if job.kind == "analyze")
        torch.manual_seed(0)
        return JobContext(job, AnalyzeSpec(**job.spec), tmp_path / "out", {}, "cpu", events.append)

    events = []
    create.events = events
    return create


@pytest.mark.parametrize(
    ("kind", "metrics"),
    [
        ("detections", ["detections_drawn"]),
        ("segmentation", ["analysed_pixel_accuracy", "classes_found"]),
    ],
)
def test_pictures_of_a_detector_or_segmenter_are_written(create_downstream_context, kind, metrics):
    context = create_downstream_context(kind)
    records = JOB.run(context)
    assert [record.metric for record in records] == metrics
    assert {record.protocol for record in records} == {f"{kind}|test|fresh|res=64|n=5|v1.1"}
    assert {record.dataset for record in records} == {context.job.spec["dataset"]["name"]}
    assert sorted(path.name for path in context.folder.iterdir()) == [
        f"{kind}.{end}" for end in ("npz", "png", "svg")
    ]
    with np.load(context.folder / f"{kind}.npz") as file:
        assert len(file["names"]) == 4, "of the five images, those that fit in a row"
    steps = [event["step"] for event in create_downstream_context.events if event["ev"] == "step"]
    assert steps == [1, 2, 3, 4, 5]
    [told] = [event["message"] for event in create_downstream_context.events if event["ev"] == "warning"]
    assert told.startswith(f"{kind}: id has random weights")
    assert "(random weights)" in (context.folder / f"{kind}.svg").read_text()


def test_named_images_are_all_drawn_and_those_of_a_folder_are_of_no_data_set(
    create_downstream_context, tmp_path
):
    names = [f"ADE_val_0000000{number}" for number in (6, 1, 2, 3, 4)]
    context = create_downstream_context("segmentation", images=names)
    JOB.run(context)
    with np.load(context.folder / "segmentation.npz") as file:
        assert [name.removesuffix(".jpg").removesuffix(".png") for name in file["names"].tolist()] == names
    (tmp_path / "own").mkdir()
    rng = np.random.default_rng(0)
    for number in range(14):
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8)).save(tmp_path / f"own/{number}.png")
    context = create_downstream_context("detections", folder=str(tmp_path / "own"), num_images=50)
    [record] = JOB.run(context)
    assert (record.dataset, record.protocol) == (None, "detections|fresh|res=64|n=14|v1.1")
    with np.load(context.folder / "detections.npz") as file:
        assert len(file["names"]) == 12


def test_weights_of_a_backbone_alone_make_no_detector(create_downstream_context, tmp_path):
    context = create_downstream_context("detections", num_images=1)
    context.job.variant.model_args.update(pretrained=True)
    JOB.run(context)
    assert "(random weights)" in (context.folder / "detections.svg").read_text()


def test_an_analysis_follows_the_only_job_that_trains_its_models(tiny, make_graph):
    data = {"name": "fashion_coco", **SCENES}
    tiny["jobs"] = ["train", {"detect": {"detector": "maskrcnn", "dataset": data}}, {"analyze": "detections"}]
    jobs = {job.label: job for job in make_graph(tiny).jobs}
    found, trained = jobs["ls/detections/seed0"], jobs["ls/maskrcnn/seed0"]
    assert found.needs == {"maskrcnn": trained.id}
    assert found.spec["dataset"] == data
    assert found.dataset_fingerprint == trained.dataset_fingerprint
