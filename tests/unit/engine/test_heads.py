import numpy as np
import pytest
import torch

from lsbench.engine.heads import Head
from lsbench.metrics.top1 import top1
from lsbench.metrics.top5 import top5

SUBSET = (1, 4, 5, 8)


@pytest.fixture
def logits():
    return torch.randn(30, 10, generator=torch.Generator().manual_seed(0))


def test_an_answer_of_a_subset_is_its_most_likely_class(logits):
    head = Head(SUBSET, "cpu")
    found = head.classes(head.cut(logits).argmax(1))
    for row, predicted in zip(logits.tolist(), found.tolist(), strict=True):
        assert predicted == max(SUBSET, key=lambda index: row[index])


def test_targets_are_positions_in_the_subset_and_back(logits):
    head = Head(SUBSET, "cpu")
    labels = torch.tensor([8, 1, 5, 4] * 7 + [1, 1])
    inside = head.targets(labels, head.cut(logits))
    assert inside[:4].tolist() == [3, 0, 2, 1]
    assert head.classes(inside).tolist() == labels.tolist()


def test_without_a_subset_nothing_changes(logits):
    head = Head(None, "cpu")
    labels = torch.arange(30) % 10
    assert head.cut(logits) is logits
    assert head.targets(labels, logits).tolist() == labels.tolist()
    assert head.classes(labels) is labels


@pytest.mark.parametrize("subset", [None, SUBSET])
def test_any_of_several_answers_is_right(logits, subset):
    rng = np.random.default_rng(0)
    among = list(subset or range(10))
    answers = [set(rng.choice(among, rng.integers(1, 4), replace=False).tolist()) for _ in logits]
    labels = torch.tensor([[*right, *[-1] * (3 - len(right))] for right in answers])
    head = Head(subset, "cpu")
    cut = head.cut(logits)
    targets = head.targets(labels, cut)
    for row, right, is_top1, is_top5 in zip(
        logits.tolist(), answers, top1(cut, targets).tolist(), top5(cut, targets).tolist(), strict=True
    ):
        ranked = sorted(among, key=lambda index: -row[index])
        assert is_top1 == (ranked[0] in right)
        assert is_top5 == bool(right & set(ranked[:5]))
    assert all(target in right for target, right in zip(head.classes(targets).tolist(), answers, strict=True))


def test_classes_outside_of_the_subset_are_no_answers(logits):
    head = Head(SUBSET, "cpu")
    labels = torch.tensor([[0, 4], [9, 1]])
    assert head.classes(head.targets(labels, head.cut(logits[:2]))).tolist() == [4, 1]
    with pytest.raises(ValueError, match="not among those that its data set names"):
        head.targets(torch.tensor([4, 0]), head.cut(logits[:2]))
