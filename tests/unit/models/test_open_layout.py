import pytest
import torch
from torch import nn
from torch.fx.experimental import _config
from torch.nn import functional as F

from lsbench.models.open_layout import LaidOut, attend, laid_out

OPEN = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)


class Attention(nn.Module):
    """Splits, joins, transposes, convolves and multiplies maps that do not lie as their shape says."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        with laid_out():
            batch, _, height, width = x.shape
            q, k, v = x.split((2, 4, 4), dim=1)
            q = torch.cat([q, q], dim=1).transpose(2, 3).transpose(2, 3)
            q, k, v = (part.reshape(batch, 2, -1, height * width).mT for part in (q, k, v))
            y = F.scaled_dot_product_attention(q, k, v)
            y = (y.mT @ (y @ k.mT)).flatten(1, 2).unflatten(2, (height, width))
            return self.conv(y.permute(0, 3, 2, 1).contiguous().permute(0, 3, 2, 1))


def images(batch, *size):
    return torch.randn(batch, 10, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("example", [(1, 1, 1), (1, 4, 1), (2, 6, 5)], ids=str)
@torch.no_grad()
def test_a_program_does_not_depend_on_the_size_of_its_example(example):
    model = Attention().eval()
    with _config.patch(backed_size_oblivious=True):  # as torch.onnx.export does
        program = torch.export.export(model, (images(*example),), dynamic_shapes=(OPEN,)).module()
    for size in ((1, 1, 1), (3, 1, 7), (1, 7, 1), (2, 5, 6), (1, 1, 2)):
        torch.testing.assert_close(program(images(*size)), model(images(*size)))


@pytest.mark.parametrize("mask", [None, "added", "kept"])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_in_steps_equals_torchs(mask, scale):
    q, k, v = (torch.randn(2, 3, size, 4, dtype=torch.float64) for size in (5, 6, 6))
    added = torch.randn(5, 6, dtype=torch.float64)
    given = {None: None, "added": added, "kept": added > -0.5}[mask]
    expected = F.scaled_dot_product_attention(q, k, v, given, scale=scale)
    found = attend(F.scaled_dot_product_attention, q, k, v, given, scale=scale, is_causal=False)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_other_kinds_of_attention_are_torchs():
    q, k, v = torch.randn(3, 2, 5, 4)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    with LaidOut():
        assert torch.equal(F.scaled_dot_product_attention(q, k, v, is_causal=True), expected)


def test_nothing_is_copied_outside_of_exports():
    x = torch.randn(2, 3, 4).mT
    with laid_out():
        assert x.view(2, 4, 3, 1).data_ptr() == x.data_ptr()
    with LaidOut():
        assert x.view(2, 4, 3, 1).data_ptr() != x.data_ptr()
        assert x.mT.view(2, 12).data_ptr() == x.data_ptr()
