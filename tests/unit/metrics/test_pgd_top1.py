import torch

from lsbench.metrics.pgd_top1 import METRIC


def test_it_is_five_half_steps_from_a_random_point():
    options = METRIC.attack.keywords
    assert options == {"steps": 5, "step_size": 0.5 / 255, "is_start_random": True}
    assert METRIC.per_image(torch.eye(3), torch.tensor([0, 1, 0])).tolist() == [True, True, False]
    assert METRIC.passes == 16
