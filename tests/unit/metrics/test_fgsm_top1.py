import torch

from lsbench.metrics.fgsm_top1 import METRIC


def test_it_is_one_step_of_the_bound_from_the_image_itself():
    options = METRIC.attack.keywords
    assert options == {"steps": 1, "step_size": 1 / 255, "is_start_random": False}
    assert METRIC.per_image(torch.eye(3), torch.tensor([0, 1, 0])).tolist() == [True, True, False]
    assert METRIC.passes == 4
