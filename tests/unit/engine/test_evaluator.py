import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, top_k_accuracy_score
from torch import nn

from lsbench.engine.evaluator import evaluate
from lsbench.metrics.top1 import top1
from lsbench.metrics.top5 import top5


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(n, 3, 4, 4, generator=generator), torch.randint(0, 10, (n,), generator=generator))
        for n in (8, 8, 5)
    ]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48), nn.Dropout(0.5), nn.Linear(48, 10)).train()


def test_means_are_those_of_scikit_learn(model, batches):
    found = evaluate(model, batches, {"top1": top1, "top5": top5})
    targets = torch.cat([target for _, target in batches]).numpy()
    with torch.inference_mode():
        logits = torch.cat([model.eval()(images) for images, _ in batches]).numpy()
    assert found.num_images == 21
    assert np.array_equal(found.targets, targets)
    assert np.array_equal(found.predictions, logits.argmax(1))
    assert found.mean("top1") == pytest.approx(accuracy_score(targets, logits.argmax(1)))
    assert found.mean("top5") == pytest.approx(top_k_accuracy_score(targets, logits, k=5, labels=range(10)))


@pytest.mark.parametrize("is_training", [True, False])
def test_the_model_is_in_eval_mode_and_its_mode_and_statistics_are_put_back(model, batches, is_training):
    model.train(is_training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    first = evaluate(model, batches, {"top1": top1})
    assert model.training is is_training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    second = evaluate(model, batches, {"top1": top1}, channels_last=True)
    assert np.array_equal(first.predictions, second.predictions)


def test_a_limit_counts_batches_and_progress_counts_images(model, batches):
    seen = []
    found = evaluate(model, batches, {}, limit=2, on_batch=seen.append)
    assert found.num_images == 16
    assert seen == [8, 16]


def test_no_image_is_an_error(model):
    with pytest.raises(ValueError, match="no image"):
        evaluate(model, [], {"top1": top1})


RANK = """
from torch import nn
from lsbench.engine.evaluator import evaluate
from lsbench.metrics.top1 import top1
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48), nn.Linear(48, 10)).eval()
model[1].running_mean.fill_(float(world.rank))  # the first rank's counts
generator = torch.Generator().manual_seed(0)
batches = [
    (torch.randn(n, 3, 4, 4, generator=generator), torch.randint(0, 10, (n,), generator=generator))
    for n in (8, 8, 5)
]
for name, limit in (("all", None), ("one", 1)):
    found = evaluate(model, batches[world.rank::2], {"top1": top1}, limit=limit)
    result[name] = found.targets, found.predictions, found.scores["top1"]
if world.rank == 0:
    alone = model(torch.cat([images for images, _ in batches]))
    result["alone"] = torch.cat([targets for _, targets in batches]).numpy(), alone.argmax(1).numpy()
"""


def test_ranks_share_the_batches_and_all_return_the_whole_in_order(run_ranks):
    first, second = run_ranks(RANK)
    targets, predictions = first["alone"]
    for rank in (first, second):
        assert np.array_equal(rank["all"][0], targets)
        assert np.array_equal(rank["all"][1], predictions)
        assert np.array_equal(rank["all"][2], targets == predictions)
        assert np.array_equal(rank["one"][0], targets[:8])
