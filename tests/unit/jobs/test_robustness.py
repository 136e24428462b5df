import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from lsbench import corruptions
from lsbench.core.job import JobContext
from lsbench.data.loading.image_list import list_images
from lsbench.engine import weights
from lsbench.engine.classify import create_eval_batches, create_tested, create_variant
from lsbench.engine.evaluator import evaluate
from lsbench.engine.open_data import open_data
from lsbench.jobs.robustness import JOB, RobustnessSpec
from lsbench.metrics.top1 import top1
from lsbench.robustness import reference as corruption_reference
from lsbench.robustness.reference import ALEXNET


def darken(image, name, severity, *, rng, family):
    """A corruption that depends on all that it may depend on."""
    noise = rng.randint(0, 40, image.shape)
    strength = severity * (2 + corruptions.NAMES.index(name) % 4)
    return np.clip(image.astype(int) - noise * strength // 10, 0, 255).astype(np.uint8)


def telling_apart(context):
    """A model that has learned nothing but the statistics of its features, so that classes differ."""
    data = open_data(context)
    model = create_variant(context, data).train()
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        for images, _ in create_eval_batches(data, "test", batch_size=20, workers=0):
            model(images)
    return model


@pytest.fixture
def create_context(tiny, make_graph, tmp_path, monkeypatch):
    """Create the context of a robustness job on a model with known weights."""
    monkeypatch.setattr(corruptions, "corrupt", darken)
    reference = tmp_path / "reference.json"
    errors = {name: [ALEXNET.errors[name]] * 5 for name in corruptions.BENCHMARK}
    reference.write_text(json.dumps({"name": "known", "clean_error": 0.1, "errors": errors}))
    monkeypatch.setattr(corruption_reference, "EMBEDDED", reference)

    def create(folder="job", *, limit=None, **settings):
        graph = make_graph({**tiny, "jobs": ["train", {"robustness": settings}], "seeds": [0]}, limit=limit)
        job = next(job for job in graph.jobs if job.label == "id/robustness/seed0")
        spec = RobustnessSpec.model_validate(job.spec)
        needs = dict.fromkeys(job.needs, tmp_path / "need")
        context = JobContext(job, spec, tmp_path / folder, needs, "cpu", events.append)
        if not (tmp_path / "need").exists():
            weights.save(tmp_path / "need" / weights.WEIGHTS, telling_apart(context).state_dict())
        return context

    events = []
    create.events = events
    return create


def whole(records):
    return {r.metric: r for r in records if not r.facets.is_of_a_part}


def test_all_75_conditions_are_measured_in_one_job(create_context):
    context = create_context(subset=10)
    records = JOB.run(context)
    assert len(records) == 4 + 45 + 75
    found = whole(records)
    protocol = "fashion-c-live|c15|s5|res=32|original|jpeg=85|ref=known|n=10|v1"
    assert {record.protocol for record in found.values()} == {protocol}
    assert all(record.value is not None for record in records)
    saved = np.load(context.folder / "predictions.npz")
    assert saved["predictions"].shape == (75, 10)
    assert saved["predictions"].dtype == np.int16
    assert len(np.unique(saved["predictions"])) > 3, "the model tells images apart"
    assert saved["cells"][[0, -1]].tolist() == ["gaussian_noise/1", "jpeg_compression/5"]
    errors = (saved["predictions"] != saved["targets"]).mean(axis=1).reshape(15, 5)
    assert found["corruption_error"].value == pytest.approx(errors.mean())
    ratios = errors.mean(axis=1) / list(ALEXNET.errors.values())
    assert found["mce"].value == pytest.approx(ratios.mean())
    assert create_context.events[-1].items() >= {"ev": "step", "step": 10, "steps": 10}.items()


def test_clean_images_are_those_of_an_evaluation(create_context):
    context = create_context(corruptions=["fog"])
    records = JOB.run(context)
    data = open_data(context)
    batches = create_eval_batches(data, "test", batch_size=256, workers=0)
    found = evaluate(create_tested(context, data, "last"), batches, {"top1": top1})
    saved = np.load(context.folder / "predictions.npz")
    assert np.array_equal(saved["clean"], found.predictions)
    assert saved["names"].tolist() == list(batches.paths)
    assert whole(records)["clean_error"].value == pytest.approx(1 - found.mean("top1"))


def test_in_a_runtime_the_same_views_have_a_protocol_of_their_own(create_context):
    contexts = [
        create_context(f"job{form}", corruptions=["fog"], subset=10, batch_size=16, precision=form)
        for form in ("fp32", "bf16")
    ]
    plain, found = (whole(JOB.run(context))["corruption_error"].protocol for context in contexts)
    assert "bf16" not in plain
    assert found == plain.replace("|c=fog", "|bf16|fused|eager|c=fog").replace("|v1", "|cpu|v1")
    one, two = (np.load(context.folder / "predictions.npz") for context in contexts)
    assert np.array_equal(one["names"], two["names"])
    assert np.mean(one["predictions"] == two["predictions"]) > 0.8
    assert contexts[0].job.id != contexts[1].job.id


def test_what_the_pixels_depend_on_is_kept_with_the_result(create_context):
    setting = whole(JOB.run(create_context(corruptions=["fog"])))["corruption_error"].setting
    assert setting["numpy"] == np.__version__
    assert {"scipy", "cv2", "PIL", "weights_sha256"} <= set(setting)


def test_the_number_of_loader_processes_changes_no_prediction(create_context):
    settings = {"corruptions": ["fog", "snow"], "severities": [1, 4], "batch_size": 7, "subset": 10}
    contexts = [create_context(f"job{n}", data_workers=n, **settings) for n in (0, 2)]
    for context in contexts:
        JOB.run(context)
    one, two = (np.load(context.folder / "predictions.npz") for context in contexts)
    assert np.array_equal(one["predictions"], two["predictions"])
    assert contexts[0].job.id == contexts[1].job.id


def test_a_finished_job_is_not_computed_again(create_context, monkeypatch):
    context = create_context(corruptions=["fog"])
    before = JOB.run(context)
    monkeypatch.setattr(corruptions, "corrupt", None)  # whoever corrupts an image now fails
    assert JOB.run(context) == before
    (context.folder / "cells" / "000003-000004.npz").write_bytes(b"torn")
    with pytest.raises(TypeError):
        JOB.run(context)


def test_other_weights_start_anew(create_context, tmp_path):
    context = create_context(corruptions=["fog"])
    JOB.run(context)
    first = np.load(context.folder / "predictions.npz")["predictions"]
    state = {
        name: value + 0.3 for name, value in create_variant(context, open_data(context)).state_dict().items()
    }
    weights.save(tmp_path / "need" / weights.WEIGHTS, state)
    JOB.run(context)
    assert not np.array_equal(np.load(context.folder / "predictions.npz")["predictions"], first)


def test_a_limit_of_batches_takes_whole_images(create_context):
    context = create_context(limit=2, corruptions=["fog"], batch_size=8)
    found = whole(JOB.run(context))
    assert found["clean_error"].n == 3  # 2 x 8 views, of which each image has 6
    assert found["clean_error"].facets.n == 3
    assert "|n=3|evenly|" in found["clean_error"].protocol
    kept = np.load(context.folder / "predictions.npz")
    listed = list_images(open_data(context).folders, "test")
    assert kept["names"].tolist() == [listed.paths[place * len(listed) // 3] for place in range(3)]
    assert len(set(kept["targets"].tolist())) == 3, "of several classes, not only of the first"


def test_a_choice_of_corruptions_has_no_mce(create_context):
    found = whole(JOB.run(create_context(corruptions=["fog", "snow"])))
    assert found["mce"].value is None
    assert found["corruption_error"].value is not None


def test_a_missing_severity_is_one_warning_and_costs_nothing_else(create_context, copies):
    conditions = [f"{name}/{severity}" for name in ("fog", "snow") for severity in range(1, 6)]
    root, _ = copies(*(condition for condition in conditions if condition != "snow/4"))
    data = {"name": "copies", "root": str(root)}
    records = JOB.run(create_context(protocol="files", files=data, corruptions=["fog", "snow"]))
    warnings = [event["message"] for event in create_context.events if event["ev"] == "warning"]
    assert warnings == [f"expected {root / 'snow/4'}; its error and mCE are left out"]
    by_part = {(r.metric, r.facets.corruption, r.facets.severity): r for r in records}
    assert by_part["corruption_error", "fog", None].value is not None
    assert by_part["ce", "fog", None].value is not None
    assert by_part["corruption_error", "snow", 4].value is None
    assert by_part["corruption_error", "snow", None].value is None
    assert by_part["corruption_error", "snow", 3].n == 20
    assert by_part["mce", None, None].value is None
    assert by_part["mce", None, None].setting["missing"] == ["snow/4"]
    assert by_part["mce", None, None].protocol.startswith("copies-files|c=snow+fog|s5|crop=32|ref=known|n=20")


def test_the_cost_is_one_pass_over_all_variants():
    images = {"val": 10, "test": 30}.get
    assert JOB.cost(RobustnessSpec(), 2e6, images) == 2e6 * 30 * 76
    assert JOB.cost(RobustnessSpec(subset=10, corruptions=["fog"]), 2e6, images) == 2e6 * 10 * 6
    assert JOB.cost(RobustnessSpec(subset=50, split="val"), 2e6, images) == 2e6 * 10 * 76
    assert JOB.can_be_distributed
    assert JOB.needs == ("train",)


def test_a_model_of_another_size_runs_on_the_benchmarks(create_context, monkeypatch):
    monkeypatch.setattr(RobustnessSpec, "size_of", lambda spec, variant: 40)
    context = create_context(corruptions=["fog"], severities=[1], subset=10)
    found = whole(JOB.run(context))
    assert (
        found["clean_error"].protocol == "fashion-c-live|c=fog|s=1|res=40|original|jpeg=85|ref=known|n=10|v1"
    )


def test_corrupted_images_keep_their_crop_and_are_normalised_as_the_weights_want(create_context):
    settings = {"corruptions": ["fog"], "severities": [1], "subset": 10}
    plain, other = (
        create_context(name, preprocess=chosen, **settings)
        for name, chosen in (("plain", None), ("other", {"mean": [0.9, 0.9, 0.9], "std": [0.1, 0.2, 0.1]}))
    )
    protocols = [whole(JOB.run(context))["clean_error"].protocol for context in (plain, other)]
    start, end = "fashion-c-live|c=fog|s=1|res=32|", "original|jpeg=85|ref=known|n=10|v1"
    assert protocols == [start + end, f"{start}norm=0.9/0.9/0.9:0.1/0.2/0.1|{end}"]
    assert plain.job.id != other.job.id
    seen = [np.load(context.folder / "predictions.npz")["predictions"] for context in (plain, other)]
    assert not np.array_equal(*seen)
    with pytest.raises(ValidationError, match="have the crop of the benchmark: leave crop_pct out"):
        RobustnessSpec(preprocess={"crop_pct": 0.9})
