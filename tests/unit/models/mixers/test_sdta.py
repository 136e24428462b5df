import pytest
import torch
from torch.nn import functional as F

from lsbench.models.mixers.sdta import SDTA


def test_equals_its_definition():
    torch.manual_seed(0)
    module = SDTA(12, num_scales=3, num_heads=2, ls_init_value=0.5).double().eval()
    x = torch.randn(2, 12, 5, 4, dtype=torch.float64)
    first = module.convs[0](x[:, :4])
    second = module.convs[1](first + x[:, 4:8])
    z = torch.cat([first, second, x[:, 8:]], 1) + module.pos_embd((2, 5, 4))
    q, k, v = module.xca.qkv(module.norm_xca(z.flatten(2).transpose(1, 2))).transpose(1, 2).split(12, dim=1)
    heads = []
    for part in (slice(0, 6), slice(6, 12)):
        scores = F.normalize(q[:, part], dim=2) @ F.normalize(k[:, part], dim=2).transpose(1, 2)
        heads.append(scores.softmax(2) @ v[:, part])
    z = z.flatten(2).transpose(1, 2) + 0.5 * module.xca.proj(torch.cat(heads, 1).transpose(1, 2))
    expected = x + 0.5 * module.norm(z).transpose(1, 2).view(x.shape)
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_scales": 1}, "num_scales must be 2 or more and divide the 16 channels, got 1"),
        ({"num_scales": 3}, "num_scales must be 2 or more and divide the 16 channels, got 3"),
        ({"num_heads": 3}, "3 heads do not divide the 16 channels"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SDTA(16, **options)
