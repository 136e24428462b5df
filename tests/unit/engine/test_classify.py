from dataclasses import replace

import pytest
import timm
import torch

from lsbench.core.errors import ConfigError, StoreError
from lsbench.core.job import JobContext
from lsbench.engine import weights
from lsbench.engine.classify import (
    checkpoint_facet,
    create_eval_batches,
    create_tested,
    create_train_batches,
    create_variant,
    weights_setting,
)
from lsbench.engine.evaluation import EvaluationSpec
from lsbench.engine.open_data import open_data
from lsbench.engine.recipe import Recipe
from lsbench.models.factory import create_model
from lsbench.models.weights_digest import weights_sha256


@pytest.fixture
def context(tiny, make_graph, tmp_path):
    job = next(job for job in make_graph({**tiny, "seeds": [0]}).jobs if job.label == "id/evaluate/seed0")
    needs = dict.fromkeys(job.needs, tmp_path / "need")
    return JobContext(job, spec=None, folder=tmp_path, needs=needs, device="cpu", emit=print)


@pytest.fixture
def data(context):
    return open_data(context)


def test_the_model_fits_the_data_set(context, data):
    model = create_variant(context, data).eval()
    images = torch.zeros(2, 3, data.img_size, data.img_size)
    assert model(images).shape == (2, data.num_classes)


def test_weights_come_from_the_training_that_the_job_needs(context, data):
    torch.manual_seed(1)
    trained = create_variant(context, data)
    weights.save(context.needs["train"] / weights.WEIGHTS, trained.state_dict())
    torch.manual_seed(2)
    found = create_tested(context, data, "last")
    assert weights_sha256(found.state_dict()) == weights_sha256(trained.state_dict())


def test_without_weights_the_job_says_what_to_do(context, data):
    with pytest.raises(StoreError, match=r"id/evaluate/seed0: no weights in .*need.*add a train job"):
        create_tested(context, data, "last")


def test_batches_are_those_of_the_splits(context, data):
    train = create_train_batches(context, Recipe(batch_size=15), data)
    assert len(train) == 40 // 15
    assert [len(targets) for _, targets in train] == [15, 15]
    val = create_eval_batches(data, "val", batch_size=15, workers=0)
    assert [len(targets) for _, targets in val] == [15, 5]


def test_pretrained_weights_must_be_named(context, data):
    with pytest.raises(ConfigError, match=r"model_args: \{pretrained: true\}"):
        create_tested(context, data, "pretrained")


def test_fresh_weights_are_those_of_the_seed(context, data):
    states = []
    for which in ("fresh", None):
        torch.manual_seed(5)
        model = create_variant(context, data) if which is None else create_tested(context, data, which)
        states.append(weights_sha256(model.state_dict()))
    assert states[0] == states[1]


@pytest.fixture
def with_file(tiny, make_graph, tmp_path):
    """Make the context of a job without a training, on a file with raw and averaged weights."""
    state = create_model("lsnet_nano", num_classes=10, img_size=32).state_dict()
    raw, average = (
        {
            key: torch.full_like(value, mark) if value.is_floating_point() else value
            for key, value in state.items()
        }
        for mark in (1, 2)
    )
    torch.save({"model": raw, "model_ema": average}, tmp_path / "both.pth")
    torch.save({"model": raw}, tmp_path / "raw.pth")

    def create(file="both.pth", model_args=None, **settings):
        args = {"checkpoint": str(tmp_path / file), **(model_args or {})}
        tiny["defaults"]["model_args"] = args
        tiny["variants"] = [{"name": "row", "mixer": "ls_conv"}]
        job = make_graph({**tiny, "jobs": [{"evaluate": settings}], "seeds": [0], "baseline": "row"}).jobs[0]
        spec = EvaluationSpec(weights=job.spec["weights"])
        return JobContext(job, spec, folder=tmp_path, needs={}, device="cpu", emit=print)

    return create


def test_the_average_of_a_file_is_tested_without_a_training_and_the_choice_is_told(with_file):
    found = {}
    for name, settings in {
        "default": {"weights": "pretrained"},
        "raw": {"weights": "pretrained", "model_args": {"checkpoint_weights": "raw"}},
        "ema": {"weights": "ema"},
    }.items():
        context = with_file(**settings)
        model = create_tested(context, open_data(context), context.spec.weights, same_classes=True)
        mark = model.patch_embed[0].c.weight.mean().item()
        found[name] = mark, checkpoint_facet(model, context.spec.weights), context.job.id
    assert [one[:2] for one in found.values()] == [(2, "ema"), (1, "raw"), (2, None)]
    assert len({one[2] for one in found.values()}) == 3


def test_a_file_without_an_average_is_told(with_file):
    context = with_file("raw.pth", weights="ema")
    with pytest.raises(ConfigError, match="it holds only those as trained, not a moving average"):
        create_tested(context, open_data(context), "ema")


def test_rows_without_a_file_need_a_training(tiny, make_graph):
    with pytest.raises(ConfigError, match="'evaluate' needs 'train', which the suite does not have"):
        make_graph({**tiny, "jobs": [{"evaluate": {"weights": "ema"}}]})


def test_the_origin_of_published_weights_is_told_with_its_tag(with_file):
    context = with_file(weights="pretrained")
    model = timm.create_model("test_vit")
    assert weights_setting(context, model) == {}
    args = {"pretrained": True}
    for name, told in (("test_vit", "test_vit.r160_in1k"), ("hf-hub:a/b", "hf-hub:a/b@1")):
        variant = context.job.variant.model_copy(update={"model": name, "model_args": args})
        job = context.job.model_copy(update={"variant": variant, "contents": {"hf-hub:a/b": "1"}})
        assert weights_setting(replace(context, job=job), model) == {"weights_from": told}
