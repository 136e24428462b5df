import pytest
import torch

from lsbench.core.errors import ConfigError, StoreError
from lsbench.core.job import JobContext
from lsbench.engine import weights
from lsbench.engine.classify import (
    create_eval_batches,
    create_tested,
    create_train_batches,
    create_variant,
)
from lsbench.engine.open_data import open_data
from lsbench.engine.recipe import Recipe


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
    assert weights.weights_sha256(found.state_dict()) == weights.weights_sha256(trained.state_dict())


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
        states.append(weights.weights_sha256(model.state_dict()))
    assert states[0] == states[1]
