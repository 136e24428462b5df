from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from pydantic import ValidationError
from timm.data import create_transform, resolve_model_data_config

from lsbench.core.errors import ConfigError, DataError
from lsbench.core.job import JobContext
from lsbench.data.dataset import DatasetSpec
from lsbench.data.datasets.fashion import DATASET as FASHION
from lsbench.data.datasets.fashion import FashionSpec
from lsbench.data.imagenet.ilsvrc import class_list, ilsvrc_titles, ilsvrc_wnids
from lsbench.engine import weights
from lsbench.engine.classify import create_eval_batches, create_variant
from lsbench.engine.open_data import open_data
from lsbench.jobs.evaluate import JOB, EvaluateSpec
from lsbench.store.answers import read_answers


def test_an_unknown_metric_is_refused_with_the_nearest():
    with pytest.raises(ValidationError, match=r"unknown metric 'topp1' \(did you mean 'top1'\?\)"):
        EvaluateSpec(metrics=["topp1"])
    with pytest.raises(ValidationError):
        EvaluateSpec(metrics=[])


def test_the_cost_is_one_pass_over_the_split():
    images = {"val": 10, "test": 30}.get
    assert JOB.cost(EvaluateSpec(split="val"), 2e6, images) == 2e7
    assert JOB.cost(EvaluateSpec(), 2e6, images) == 6e7
    assert JOB.needs == ("train",)


def test_attacks_cost_passes():
    images = {"test": 10}.get
    assert JOB.cost(EvaluateSpec(metrics=["top1", "fgsm_top1", "pgd_top1"]), 1e6, images) == 21 * 1e7


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    """ImageNet's validation set with one photo of noise per class, the same as ReaL; and ImageNet-A."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)

    def write(place, names, file):
        for name in names:
            (root / place / name).mkdir(parents=True)
            pixels = rng.integers(0, 256, (9, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / place / name / file, "PNG", compress_level=1)

    write("imagenet/val", ilsvrc_wnids(), "ILSVRC2012_val_00000002.JPEG")
    write("imagenet-a", class_list("imagenet_a_synsets.txt"), "0.jpg")
    return root


@pytest.fixture
def run_on(tiny, make_graph, data_root, tmp_path):
    """Run one evaluation of a model with fresh weights; return its records, arrays and the model."""

    def run(on, dataset="imagenet", limit=None, **settings):
        data = {"name": dataset} if isinstance(dataset, str) else dataset
        tiny["defaults"]["dataset"] = {"img_size": 32, **data}
        tiny["jobs"] = ["train", {"evaluate": {"on": on, "batch_size": 64, **settings}}]
        graph = make_graph(tiny, data_root=data_root, limit=limit)
        job = next(job for job in graph.jobs if job.label == "id/evaluate/seed0")
        needs = {"train": tmp_path / "train"}
        spec = EvaluateSpec.model_validate(job.spec)
        context = JobContext(job, spec, tmp_path / "evaluate", needs, "cpu", lambda event: None)
        context.folder.mkdir(exist_ok=True)
        torch.manual_seed(0)
        model = create_variant(context, open_data(context)).eval()
        weights.save(needs["train"] / weights.WEIGHTS, model.state_dict())
        records = JOB.run(context)
        return records, dict(np.load(context.folder / "predictions.npz")), model, context

    return run


def logits_of(model, context, on):
    batches = create_eval_batches(open_data(context, on), "test", batch_size=64, workers=0)
    with torch.inference_mode():
        logits = torch.cat([model(images) for images, _ in batches])
    return logits.numpy(), batches.paths


def test_a_limit_draws_its_batches_evenly_from_the_whole_split(run_on):
    records, arrays, model, context = run_on(None, limit=2, batch_size=50)
    assert {(record.n, record.facets.n) for record in records} == {(100, 100)}
    assert all("|n=100|evenly|" in record.protocol for record in records)
    logits, paths = logits_of(model, context, None)
    drawn = range(0, 1000, 10)
    assert arrays["names"].tolist() == [paths[place] for place in drawn]
    assert arrays["targets"].tolist() == list(drawn), "one image of every tenth class, not the first classes"
    assert arrays["predictions"].tolist() == logits.argmax(1)[::10].tolist()
    wider = run_on(None, limit=99)[0]
    assert {record.n for record in wider} == {1000}


def test_the_protocol_names_the_conditions_that_the_model_runs_under(run_on, monkeypatch):
    monkeypatch.setattr("lsbench.models.earlier_weights.conditions", lambda model: {"temperature": 30.0})
    records = run_on(None, limit=1, batch_size=20)[0]
    assert {record.protocol for record in records} == {"test|res=32|n=20|evenly|temperature=30|v1"}


def test_published_weights_see_the_images_that_they_were_made_for(
    tiny, make_graph, data_root, tmp_path, monkeypatch
):
    monkeypatch.setattr("timm.models._builder.load_pretrained", lambda *args, **settings: None)
    tiny["defaults"] = {"dataset": {"name": "imagenet", "img_size": 32}}
    tiny |= {"variants": [{"model": "test_vit2", "model_args": {"pretrained": True}}], "baseline": None}
    tiny["jobs"] = [{"evaluate": {"weights": "pretrained", "batch_size": 8, "preprocess": None}}]

    def run(**settings):
        tiny["jobs"][0]["evaluate"].update(settings)
        job = make_graph(tiny, data_root=data_root, limit=2).jobs[0]
        spec = EvaluateSpec.model_validate(job.spec)
        context = JobContext(job, spec, tmp_path, {}, "cpu", lambda event: None)
        torch.manual_seed(0)
        record = JOB.run(context)[0]
        return job.id, record.protocol, np.load(tmp_path / "predictions.npz")

    own, protocol, arrays = run()
    made = "preprocess=model|res=160|crop_pct=0.95|bicubic|norm=inception"
    assert protocol == f"test|pretrained|{made}|n=16|evenly|v1"
    torch.manual_seed(0)
    model = timm.create_model("test_vit2").eval()
    make = create_transform(**resolve_model_data_config(model))
    files = [data_root / "imagenet/val" / name for name in arrays["names"]]
    logits = model(torch.stack([make(Image.open(file)) for file in files]))
    assert arrays["predictions"].tolist() == logits.argmax(1).tolist()
    assert run(preprocess="model")[:2] == (own, protocol)
    of_data, protocol, _ = run(preprocess="dataset")
    assert (of_data == own, protocol) == (False, "test|pretrained|res=32|n=16|evenly|v1")


def test_int8_is_compared_with_pytorch_image_by_image(run_on):
    form = {"runtime": "onnxruntime", "precision": "int8", "calibration_images": 16}
    data = {"name": "fashion", "train_images": 10, "val_images": 10, "test_images": 100}
    records, arrays, model, context = run_on(None, data, metrics=["top1"], **form)
    logits, paths = logits_of(model, context, None)
    targets = arrays["targets"]
    assert arrays["names"].tolist() == list(paths)
    found = {record.metric: record for record in records}
    assert list(found) == ["top1", "runtime_agreement", "runtime_difference", "top1_change"]
    same = arrays["predictions"] == logits.argmax(1)
    assert found["runtime_agreement"].value == same.mean()
    assert 0.001 < found["runtime_difference"].value < 0.5, "in int8 no logit is the same"
    right = np.mean(logits.argmax(1) == targets)
    change = found["top1_change"]
    assert change.value == pytest.approx(np.mean(arrays["score_top1"]) - right)
    assert found["top1"].value == np.mean(arrays["predictions"] == targets)
    assert change.ci_low < change.value < change.ci_high
    assert "|int8|static|calibrated=10|fused|onnxruntime=" in change.protocol, "as many as there are"
    assert len({record.protocol for record in records}) == 1
    assert set(change.setting["prepared_s"]) == {"export", "quantise", "load", "first pass"}
    assert [file.name for file in context.folder.iterdir()] == ["predictions.npz"]


def test_a_subset_of_the_classes_is_judged_alone_and_then_with_all_others(run_on):
    records, arrays, model, context = run_on("imagenet_a", metrics=["top1", "ece"])
    logits, paths = logits_of(model, context, {"name": "imagenet_a"})
    classes = [ilsvrc_wnids().index(wnid) for wnid in class_list("imagenet_a_synsets.txt")]
    targets = np.array([ilsvrc_wnids().index(path.split("/")[0]) for path in paths])
    masked = np.array([max(classes, key=lambda index: row[index]) for row in logits])
    assert np.array_equal(arrays["predictions"], masked)
    assert np.array_equal(arrays["targets"], targets)
    assert np.array_equal(arrays["score_top1"], masked == targets)
    assert np.array_equal(arrays["whole_predictions"], logits.argmax(1))
    assert np.array_equal(arrays["whole_score_top1"], logits.argmax(1) == targets)
    assert [(r.metric, r.protocol, r.dataset, r.n) for r in records] == [
        (metric, f"test|res=32|classes={number}|n=200|v1", "imagenet_a", 200)
        for number in (200, 1000)
        for metric in ("top1", "ece")
    ]
    assert records[0].value == np.mean(masked == targets)
    assert records[2].value == np.mean(logits.argmax(1) == targets)
    assert (records[0].ci_method is None, records[1].ci_method is None) == (False, True)


def test_the_answers_are_kept_compactly_with_the_names_of_images_and_classes(run_on):
    _, arrays, model, context = run_on("imagenet_a", metrics=["top1", "ece"])
    logits, paths = logits_of(model, context, {"name": "imagenet_a"})
    assert arrays["names"].tolist() == list(paths)
    assert arrays["classes"].tolist() == list(ilsvrc_wnids())
    assert arrays["titles"].tolist() == list(ilsvrc_titles())
    best = np.argsort(-logits, axis=1, kind="stable")[:, :5]
    assert np.array_equal(arrays["whole_best"], best)
    shares = torch.from_numpy(logits).softmax(1).max(1).values.numpy()
    assert np.abs(arrays["whole_confidence"] - shares).max() <= 0.00025
    for name in ("targets", "predictions", "best", "confidence"):
        assert arrays[name].dtype.itemsize == arrays[f"whole_{name}"].dtype.itemsize == 2
    assert arrays["score_ece"].dtype == np.float32, "metrics see the full confidence"
    first, whole = read_answers(context.folder)
    assert np.array_equal(first.is_right, arrays["score_top1"])
    assert np.array_equal(whole.is_right, arrays["whole_score_top1"])


def test_the_variants_own_data_may_be_such_a_set(run_on):
    records, arrays, _, _ = run_on(None, dataset="imagenet_a", metrics=["top1"])
    assert [r.protocol for r in records] == [f"test|res=32|classes={n}|n=200|v1" for n in (200, 1000)]
    assert set(arrays) > {"whole_score_top1", "score_top1"}


def test_any_of_the_reassessed_labels_is_right(run_on):
    records, arrays, model, context = run_on("imagenet_real", metrics=["top1", "top5"])
    logits, paths = logits_of(model, context, {"name": "imagenet_real"})
    assert len(paths) == 1000
    best = np.argsort(-logits, axis=1, kind="stable")
    for k in (1, 5):
        right = [bool({970, 795} & set(row[:k].tolist())) for row in best]
        assert np.array_equal(arrays[f"score_top{k}"], right)
    assert set(arrays["targets"].tolist()) <= {970, 795}
    assert [(r.protocol, r.dataset) for r in records] == [("test|res=32|n=1000|v1", "imagenet_real")] * 2


def test_images_have_the_variants_size_unless_another_is_given(run_on):
    records, _, _, _ = run_on({"name": "imagenet_a", "img_size": 48}, metrics=["top1"])
    assert "|res=48|" in records[0].protocol


def test_attacks_are_against_either_protocol(run_on):
    records, arrays, _, _ = run_on("imagenet_a", metrics=["top1", "fgsm_top1"])
    assert arrays["score_fgsm_top1"].dtype == arrays["whole_score_fgsm_top1"].dtype == bool
    assert records[1].value <= records[0].value
    assert records[1].ci_method == "wilson 95%, over images"


def test_data_with_other_classes_is_refused(run_on, data_root):
    for number in range(1000):
        (data_root / "other" / "test" / f"x{number}").mkdir(parents=True)
        (data_root / "other" / "test" / f"x{number}" / "0.png").write_bytes(b"12")
    message = r"'imagenet' \(n01440764, \.\.\.\), found 'image_folder' with 1000 \(x0, "
    with pytest.raises(ConfigError, match=message):
        run_on({"name": "image_folder", "root": "other"})


def test_an_unreadable_image_is_found_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "val" / "cat").mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(tmp_path / "val" / "cat" / "0.png")
    whole = (tmp_path / "val" / "cat" / "0.png").read_bytes()
    (tmp_path / "val" / "cat" / "1.png").write_bytes(whole[: len(whole) // 2])
    variant = SimpleNamespace(dataset={"name": "image_folder", "root": str(tmp_path)})
    job = SimpleNamespace(variant=variant, data_root=None)
    with pytest.raises(DataError, match=r"expected a readable image at .*cat/1\.png, found: .*truncated"):
        JOB.run(SimpleNamespace(spec=EvaluateSpec(), job=job))


class CountedSpec(DatasetSpec):
    name: str
    img_size: int = 32


class Counted:
    """Garments that count how often they are opened."""

    spec = CountedSpec
    in_memory = True

    def __init__(self):
        self.calls = Counter()

    def fingerprint(self, spec, data_root):
        self.calls["fingerprint"] += 1
        return "0" * 64

    def prepare(self, spec, data_root):
        self.calls["prepare"] += 1
        return FASHION.prepare(FashionSpec(train_images=20, val_images=10, test_images=10), None)

    def num_classes(self, spec, data_root=None):
        self.calls["num_classes"] += 1
        return 10

    def num_images(self, spec, split):
        return 10


@pytest.mark.parametrize("on", [None, "other"])
def test_each_data_set_is_opened_once(run_on, add_dataset, on):
    own, other = Counted(), Counted()
    add_dataset("own", own)
    add_dataset("other", other)
    _, _, _, context = run_on(on, dataset="own")
    own.calls.clear()
    other.calls.clear()
    JOB.run(context)
    assert own.calls == {"prepare": 1}
    assert other.calls == ({"prepare": 1} if on else {})
