import torch

from lsbench.models.mixers.identity import Identity


def test_returns_its_input_itself():
    x = torch.randn(1, 4, 2, 2)
    assert Identity(4)(x) is x
