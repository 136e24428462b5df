import torch
from torch import nn

from lsbench.models.mixers.rep_mixer import RepMixer


def test_equals_its_definition_and_one_convolution():
    torch.manual_seed(0)
    module = RepMixer(8, kernel_size=5, layer_scale_init_value=0.5)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    module.eval()
    x = torch.randn(2, 8, 6, 7)
    mixer, norm = module.mixer, module.norm
    mixed = mixer.conv_kxk[0](x) + mixer.conv_scale(x) + mixer.identity(x)
    branches = module(x)
    torch.testing.assert_close(branches, x + 0.5 * (mixed - norm.identity(x)))
    with torch.no_grad():
        module.reparameterize()
    assert module.reparam_conv.kernel_size == (5, 5)
    torch.testing.assert_close(module(x), branches, rtol=1e-4, atol=1e-5)
