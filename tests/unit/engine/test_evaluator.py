import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, top_k_accuracy_score
from torch import nn

from lsbench.core.registry import METRICS
from lsbench.data.dataset import IMAGENET_MEAN, IMAGENET_STD
from lsbench.engine.evaluator import evaluate, evaluate_heads
from lsbench.metrics import Metric
from lsbench.metrics.top1 import top1
from lsbench.metrics.top5 import top5
from lsbench.models.factory import create_model


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


def test_progress_counts_images(model, batches):
    seen = []
    found = evaluate(model, batches[:2], {}, on_batch=seen.append)
    assert found.num_images == 16
    assert seen == [8, 16]


def test_results_do_not_depend_on_the_batch_size():
    torch.manual_seed(0)
    model = create_model("lsnet_nano", num_classes=10, img_size=32)
    images, labels = torch.randn(24, 3, 32, 32), torch.randint(0, 10, (24,))
    with torch.no_grad():
        for _ in range(3):
            model(images)  # statistics of these images
    found = [
        evaluate(model, zip(images.split(size), labels.split(size), strict=True), {"top1": top1})
        for size in (24, 7, 1)
    ]
    for other in found[1:]:
        assert np.array_equal(other.predictions, found[0].predictions)
        assert np.array_equal(other.scores["top1"], found[0].scores["top1"])
        np.testing.assert_allclose(other.confidence, found[0].confidence, rtol=1e-5)


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
for name, number in (("all", 3), ("one", 1)):
    found = evaluate(model, batches[:number][world.rank::2], {"top1": top1})
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


SUBSET = (7, 2, 9, 4)


def of_subset(batches):
    return [(images, torch.tensor(SUBSET)[target % 4]) for images, target in batches]


def test_a_subset_and_all_classes_are_judged_in_one_pass(model, batches):
    passes = []
    model.register_forward_hook(lambda *_: passes.append(1))
    batches = of_subset(batches)
    some, every = evaluate_heads(model, batches, {"top1": top1, "top5": top5}, (SUBSET, None))
    assert len(passes) == len(batches)
    with torch.inference_mode():
        logits = torch.cat([model.eval()(images) for images, _ in batches]).numpy()
    targets = torch.cat([target for _, target in batches]).numpy()
    expected = [max(SUBSET, key=lambda index: row[index]) for row in logits]
    assert some.predictions.tolist() == expected
    assert np.array_equal(some.targets, targets)
    assert np.array_equal(some.scores["top1"], np.array(expected) == targets)
    assert some.mean("top5") == 1, "among four classes"
    alone = evaluate(model, batches, {"top1": top1, "top5": top5})
    assert np.array_equal(every.predictions, alone.predictions)
    assert np.array_equal(every.scores["top5"], alone.scores["top5"])
    assert not np.array_equal(some.predictions, every.predictions)


def test_labels_with_several_right_classes(model, batches):
    several = [(images, torch.stack([target, (target + 3) % 10], dim=1)) for images, target in batches]
    several[0][1][2, 1] = -1
    found = evaluate(model, several, {"top1": top1})
    labels = torch.cat([labels for _, labels in several]).tolist()
    assert found.scores["top1"].tolist() == [
        p in row for p, row in zip(found.predictions, labels, strict=True)
    ]
    assert all(target in row for target, row in zip(found.targets, labels, strict=True))


def attacks():
    names = ("fgsm_top1", "pgd_top1")
    return {name: METRICS.load(name).for_images(IMAGENET_MEAN, IMAGENET_STD) for name in names}


def test_attacks_look_at_gradients_and_leave_the_model_as_it_was(model, batches):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = evaluate(model, batches, {"top1": top1, **attacks()})
    assert found.scores["fgsm_top1"].dtype == bool
    assert found.mean("fgsm_top1") <= found.mean("top1")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    again = evaluate(model, batches[::-1], attacks())
    assert again.mean("pgd_top1") == found.mean("pgd_top1")


def test_an_attack_is_against_the_classes_that_may_be_answered(batches):
    seen = []

    def attack(logits_of, images, targets):
        images = images.clone().requires_grad_()
        seen.append(logits_of(images).shape[1])
        (gradient,) = torch.autograd.grad(logits_of(images).sum(), images)
        return (images + gradient).detach()

    watching = Metric(top1, attack=attack)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(48, 10))
    some, every = evaluate_heads(linear, of_subset(batches), {"moved": watching}, (SUBSET, None))
    assert seen == [4, 10] * 3
    assert len(some.scores["moved"]) == len(every.scores["moved"]) == 21


class KeepsTable(nn.Module):
    """Makes a table at its first call and keeps it, as attention with relative positions does."""

    def __init__(self):
        super().__init__()
        self.head, self.table = nn.Linear(48, 10), None

    def forward(self, images):
        if self.table is None:
            self.table = self.head.weight.sum(0)
        return self.head(images.flatten(1) * self.table)


def test_what_a_model_keeps_for_later_can_take_part_in_gradients(batches):
    found = evaluate(KeepsTable(), batches, attacks())
    assert found.num_images == 21


def test_a_metric_may_keep_several_values_of_each_image(model, batches):
    found = evaluate(model, batches, {"ece": METRICS.load("ece")})
    assert found.scores["ece"].shape == (21, 2)


@pytest.mark.parametrize("mixer", ["ls_conv", "involution"])
def test_the_shipped_models_can_be_attacked(mixer):
    model = create_model("lsnet_nano", mixer=mixer, num_classes=10, img_size=32)
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = evaluate(model, [(images, torch.arange(4))], attacks())
    assert set(found.scores) == {"fgsm_top1", "pgd_top1"}


def test_the_answers_to_each_image_are_kept_best_first(model, batches):
    found = evaluate(model, batches, {"top1": top1})
    with torch.inference_mode():
        logits = torch.cat([model.eval()(images) for images, _ in batches])
    assert np.array_equal(found.best, np.argsort(-logits.numpy(), axis=1, kind="stable")[:, :5])
    assert found.confidence == pytest.approx(logits.softmax(1).max(1).values.numpy())


def test_equal_logits_and_few_classes_keep_the_prediction_first():
    head = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    nn.init.zeros_(head[1].weight)
    nn.init.zeros_(head[1].bias)
    found = evaluate(head, [(torch.randn(4, 3, 4, 4), torch.tensor([0, 1, 2, 0]))], {"top1": top1})
    assert found.best.shape == (4, 3)
    assert np.array_equal(found.best[:, 0], found.predictions)
    assert found.confidence == pytest.approx(np.full(4, 1 / 3))
