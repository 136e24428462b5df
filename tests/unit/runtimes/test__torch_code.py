import torch
from torch import nn

from lsbench.runtimes import Form
from lsbench.runtimes._torch_code import as_tensor, placed, torch_version


def test_model_and_images_come_in_the_precision_and_layout_of_the_form():
    form = Form("bf16", channels_last=True)
    images, model = as_tensor(torch.ones(2, 3, 4, 4), form), placed(nn.Conv2d(3, 4, 3), form)
    assert images.dtype == model.weight.dtype == torch.bfloat16
    for tensor in (images, model.weight):
        assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert as_tensor(images, Form()).is_contiguous()
    assert torch.__version__.startswith(torch_version())
