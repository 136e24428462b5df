import pytest
import torch
from torch.nn import functional as F

from lsbench.models.mixers.lsra import LSRA


def test_equals_its_definition():
    torch.manual_seed(0)
    module = LSRA(16, head_dim=8).double().eval()
    attn, x = module.attn, torch.randn(2, 16, 9, 8, dtype=torch.float64)
    tokens = module.norm(x.permute(0, 2, 3, 1))
    summary = F.adaptive_avg_pool2d(tokens.permute(0, 3, 1, 2), 7).permute(0, 2, 3, 1).flatten(1, 2)
    summary = F.gelu(attn.norm(summary @ attn.sr.weight[:, :, 0, 0].T + attn.sr.bias))
    query, (key, value) = attn.q(tokens.flatten(1, 2)), attn.kv(summary).split(16, dim=2)
    heads = []
    for part in (slice(0, 8), slice(8, 16)):
        scores = query[..., part] @ key[..., part].transpose(1, 2) / 8**0.5
        heads.append(scores.softmax(2) @ value[..., part])
    expected = x + attn.proj(torch.cat(heads, 2)).transpose(1, 2).view(x.shape)
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize(("dim", "heads"), [(32, 1), (48, 3), (128, 4), (192, 6), (320, 10)])
def test_heads_are_as_wide_as_pvts_where_they_fit(dim, heads):
    assert LSRA(dim).attn.num_heads == heads
