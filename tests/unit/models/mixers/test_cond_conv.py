import torch
from torch.nn import functional as F

from lsbench.models.mixers.cond_conv import CondConv


def test_each_image_meets_its_own_mixture_of_kernels():
    torch.manual_seed(0)
    module = CondConv(4, num_experts=3).eval()
    x = torch.randn(2, 4, 5, 5)
    branch = (module(x) - x) * torch.sqrt(module.bn.running_var + module.bn.eps)[:, None, None]
    for image, found in zip(x, branch, strict=True):
        shares = module.module.route(image.mean((1, 2))).sigmoid()
        kernel = (shares @ module.module.experts.weight).view(4, 1, 3, 3)
        torch.testing.assert_close(
            found, F.conv2d(image[None], kernel, padding=1, groups=4)[0], rtol=1e-4, atol=1e-5
        )
