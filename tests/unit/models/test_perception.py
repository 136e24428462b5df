import torch

from lsbench.models.perception import LKP, LargeSmallConv, aggregate


def test_perception_gives_one_vector_per_pixel_from_a_large_window():
    module = LKP(16, out_chans=18, groups=2, kernel_large=5).eval()
    x = torch.randn(1, 16, 9, 9, requires_grad=True)
    y = module.cv4(module.cv3(module.cv2(module.act(module.cv1(x)))))
    (gradient,) = torch.autograd.grad(y[0, :, 4, 4].sum(), x)
    seen = gradient.abs().sum((0, 1)) > 0
    assert seen[2:7, 2:7].any()
    assert not seen[:2].any()
    assert module(x).shape == (1, 18, 9, 9)


def test_weights_are_normalised_per_group():
    module = LKP(16, out_chans=18, groups=2, kernel_large=None)
    weights = module(torch.randn(3, 16, 6, 6)).view(3, 2, -1)
    torch.testing.assert_close(weights.mean(2), torch.zeros(3, 2), atol=1e-5, rtol=0)


def test_aggregation_takes_the_features_dtype():
    x = torch.randn(1, 4, 3, 3, dtype=torch.bfloat16)
    assert aggregate(x, torch.randn(1, 18, 3, 3), groups=2).dtype == torch.bfloat16


def test_works_under_autocast():
    module = LargeSmallConv(16, kernel_large=7, kernel_small=3, channels_per_group=8)
    x = torch.randn(2, 16, 5, 5, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = module(x)
    y.float().sum().backward()
    assert x.grad.isfinite().all()
