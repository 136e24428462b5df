import numpy as np
import pytest
import torch

from lsbench.timing.building import build, compared, filled, run_all
from lsbench.timing.request import Setting


@pytest.fixture
def request_of(small_request, tmp_path):
    """Return a request to build for batches of two, with three images."""
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    np.save(tmp_path / "images.npy", images.numpy())

    def create(**form):
        files = {"images": str(tmp_path / "images.npy"), "programs": (str(tmp_path),)}
        return small_request.model_copy(update={"action": "build", "setting": Setting(**form), **files})

    return create


@pytest.mark.parametrize(("precision", "least", "most"), [("fp32", 0, 1e-5), ("bf16", 1e-5, 0.1)])
def test_a_model_in_its_runtime_is_compared_with_the_plain_one_in_float32(request_of, precision, least, most):
    built = build(request_of(fused=True, precision=precision))
    assert least <= built.difference < most
    assert built.images == 3
    assert built.agreement in (0, 1 / 3, 2 / 3, 1)
    assert set(built.seconds) == {"load", "first pass"}


def test_the_norms_that_fusing_leaves_are_told(request_of, small_request):
    request = request_of(fused=True)
    subject = request.subject.model_copy(update={"model": "test_resnet", "mixer": None})
    assert build(request.model_copy(update={"subject": subject})).unfused_norms == 0


def test_all_images_pass_in_batches_of_one_size():
    seen = []

    def ready(batch):
        seen.append(batch.tolist())
        return batch * 10

    assert run_all(ready, torch.arange(5), 3).tolist() == [0, 10, 20, 30, 40]
    assert seen == [[0, 1, 2], [3, 4, 3]]
    assert filled(torch.arange(2), 2).tolist() == [0, 1]


def test_differences_are_parts_of_the_largest_logit_and_nan_is_none():
    expected = torch.tensor([[1.0, -4.0], [2.0, 0.0]])
    found = torch.tensor([[1.0, -4.0], [1.0, 2.0]])
    built = compared(found, expected)
    assert (built.difference, built.agreement, built.images) == (0.5, 0.5, 2)
    assert compared(found * torch.nan, expected).difference is None
    assert compared(found, expected * torch.nan).difference is None
    assert compared(expected, expected).difference == 0
