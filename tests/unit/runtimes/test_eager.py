from torch import nn

from lsbench.models.frozen_weight import FrozenWeight
from lsbench.models.fusion import fuse
from lsbench.runtimes import Form
from lsbench.runtimes.eager import RUNTIME


def test_fused_models_have_packed_weights_and_others_do_not():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    for made, is_packed in ((fuse(model), True), (model, False)):
        loaded = RUNTIME.load(made, Form())
        assert any(type(weight) is FrozenWeight for weight in loaded.parameters()) == is_packed
