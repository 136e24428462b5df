import pytest
import torch

from lsbench.export.subject import ModelToExport
from lsbench.models.factory import create_model


@pytest.fixture
def make_subject():
    """Return a model by name as a subject, with weights of a seed."""

    def make(name="lsnet_nano", *, weights="random, from seed 0: it is not trained", **arguments):
        torch.manual_seed(0)
        model = create_model(name, num_classes=5, img_size=32, **arguments).eval()
        return ModelToExport(model, name, arguments, 5, 32, weights, ((0.5,) * 3, (0.25,) * 3))

    return make


@pytest.fixture
def images():
    return torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(7))
