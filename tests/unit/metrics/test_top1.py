import torch
from sklearn.metrics import top_k_accuracy_score

from lsbench.metrics.top1 import METRIC


def test_it_is_scikit_learns_for_one_image_at_a_time():
    torch.manual_seed(0)
    logits, targets = torch.randn(200, 7), torch.randint(0, 7, (200,))
    found = METRIC(logits, targets)
    expected = top_k_accuracy_score(targets, logits.numpy(), k=1, labels=range(7), normalize=False)
    assert (found.dtype, found.shape) == (torch.bool, (200,))
    assert found.sum() == expected
    assert 0 < expected < 200
