import torch
from sklearn.metrics import top_k_accuracy_score

from lsbench.metrics.top5 import METRIC


def test_it_is_scikit_learns():
    torch.manual_seed(0)
    logits, targets = torch.randn(200, 12), torch.randint(0, 12, (200,))
    found = METRIC(logits, targets)
    expected = top_k_accuracy_score(targets, logits.numpy(), k=5, labels=range(12), normalize=False)
    assert (found.dtype, found.shape) == (torch.bool, (200,))
    assert found.sum() == expected
    assert 0 < expected < 200


def test_the_boundary_is_between_the_fifth_and_the_sixth():
    logits = torch.arange(10.0).flip(0).expand(10, 10)
    assert METRIC(logits, torch.arange(10)).tolist() == [True] * 5 + [False] * 5


def test_with_fewer_classes_every_image_is_right():
    assert METRIC(torch.randn(4, 3), torch.tensor([0, 1, 2, 0])).all()
