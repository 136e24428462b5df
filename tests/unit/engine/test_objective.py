import math

import numpy as np
import pytest
import torch
from timm.data import Mixup
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.engine.objective import Objective, create_teacher, distillation_loss, give_two_heads
from lsbench.engine.recipe import Distill, Recipe
from lsbench.models.factory import create_model


def distill(**settings):
    return Distill(teacher="resnet18", **settings)


def test_without_mixing_it_is_cross_entropy_with_smoothing():
    objective = Objective(Recipe(smoothing=0.2), num_classes=2)
    images, targets = torch.zeros(2, 3, 4, 4), torch.tensor([0, 1])
    assert objective.mix(images, targets, seed=1) == (images, targets)
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    right, wrong = -math.log(1 / (1 + math.exp(-2))), -math.log(1 / (1 + math.exp(2)))
    expected = (0.9 * right + 0.1 * wrong + 0.9 * wrong + 0.1 * right) / 2
    assert objective(images, logits, targets).item() == pytest.approx(expected)


def test_mixing_is_timms_and_follows_its_seed_alone():
    recipe = Recipe(mixup=0.8, cutmix=1.0, smoothing=0.1)
    objective = Objective(recipe, num_classes=10)
    images, targets = torch.randn(8, 3, 8, 8), torch.arange(8)
    mixed = [objective.mix(images.clone(), targets, seed=seed) for seed in (5, 6, 5)]
    np.random.seed(5)
    expected = Mixup(0.8, 1.0, label_smoothing=0.1, num_classes=10)(images.clone(), targets)
    assert all(torch.equal(a, b) for a, b in zip(mixed[0], expected, strict=True))
    assert torch.equal(mixed[0][0], mixed[2][0])
    assert not torch.equal(mixed[0][0], mixed[1][0])
    assert mixed[0][1].sum(1) == pytest.approx(torch.ones(8))


def test_mixing_leaves_the_streams_of_others_alone():
    objective = Objective(Recipe(mixup=0.8), num_classes=10)
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    objective.mix(torch.randn(2, 3, 8, 8), torch.arange(2), seed=9)
    assert np.random.rand() == expected


def test_soft_targets_by_hand():
    objective = Objective(Recipe(mixup=0.8), num_classes=2)
    logits, soft = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.3, 0.7]])
    log_z = math.log(math.e + 1)
    assert objective(torch.zeros(1), logits, soft).item() == pytest.approx(0.3 * (log_z - 1) + 0.7 * log_z)


def test_a_hard_teacher_gives_a_class():
    logits, teacher = torch.tensor([[1.0, 0.0], [0.0, 3.0]]), torch.tensor([[0.0, 9.0], [0.0, 1.0]])
    expected = (math.log(math.e + 1) + math.log(1 + math.exp(-3))) / 2
    assert distillation_loss(logits, teacher, distill(kind="hard")).item() == pytest.approx(expected)


def test_a_soft_teacher_gives_a_distribution():
    logits, teacher, tau = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]), 2.0
    p = [1 / (1 + math.exp(1.0)), 1 / (1 + math.exp(-1.0))]
    q = [1 / (1 + math.exp(-0.5)), 1 / (1 + math.exp(0.5))]
    divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    found = distillation_loss(logits, teacher, distill(kind="soft", tau=tau))
    assert found.item() == pytest.approx(tau**2 * divergence / 2, rel=1e-5)


def test_both_heads_are_weighed_by_alpha():
    recipe = Recipe(distill=distill(alpha=0.25), smoothing=0.0)
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    objective = Objective(recipe, 2, teacher)
    images, heads = torch.randn(3, 1, 2, 2), (torch.randn(3, 2), torch.randn(3, 2))
    targets = torch.tensor([0, 1, 1])
    ce = nn.CrossEntropyLoss()
    expected = 0.75 * ce(heads[0], targets) + 0.25 * ce(heads[1], teacher(images).argmax(1))
    found = objective(images, heads, targets)
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad, "the teacher does not learn"


def test_a_distilled_student_answers_with_two_heads_in_training_and_their_mean_in_evaluation():
    student = create_model("lsnet_t_distill", num_classes=4, img_size=64)
    give_two_heads(student, "lsnet_t_distill")
    images = torch.randn(2, 3, 64, 64)
    first, second = student(images)
    assert first.shape == second.shape == (2, 4)
    assert student.eval()(images).shape == (2, 4)


def test_a_student_with_one_head_is_refused():
    with pytest.raises(ConfigError, match="expected a model with a second head, found 'resnet18'"):
        give_two_heads(create_model("resnet18", num_classes=4, img_size=64), "resnet18")


def test_a_teacher_that_is_not_there_is_named(tmp_path):
    settings = distill(checkpoint=str(tmp_path / "nowhere.pth"))
    with pytest.raises(ConfigError, match=r"distill: teacher: checkpoint '.*nowhere.pth'"):
        create_teacher(settings, num_classes=4, img_size=64)
    with pytest.raises(ValueError, match=r"unknown model 'regnety_16O' \(did you mean 'regnety_160'"):
        Distill(teacher="regnety_16O")


def test_a_teacher_has_its_weights_and_does_not_learn(tmp_path):
    trained = create_model("resnet18", num_classes=4, img_size=64).eval()
    torch.save(trained.state_dict(), tmp_path / "teacher.pth")
    settings = distill(checkpoint=str(tmp_path / "teacher.pth"))
    teacher = create_teacher(settings, num_classes=4, img_size=64)
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(teacher(images), trained(images))
    assert not teacher.training
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
