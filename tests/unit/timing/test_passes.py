import pytest
import torch
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.models.frozen_weight import FrozenWeight
from lsbench.timing.passes import create_images, create_pass, create_subject, norms_left
from lsbench.timing.request import Setting, TimedModel


def test_weights_follow_from_the_seed_and_every_form_computes_the_same(small_request):
    torch.manual_seed(5)
    images = create_images(2, 32, Setting(), "cpu")
    found = {}
    for name, setting in {
        "plain": {},
        "again": {},
        "fused": {"fused": True},
        "nhwc": {"channels_last": True},
        "bf16": {"precision": "bf16"},
    }.items():
        request = small_request.model_copy(update={"setting": Setting(**setting)})
        model = create_subject(request.subject, request)
        assert not model.training
        with torch.no_grad():
            found[name] = model(images.to(next(model.parameters()).dtype)).float()
    assert torch.equal(found["plain"], found["again"])
    assert torch.allclose(found["plain"], found["fused"], atol=1e-4)
    assert torch.allclose(found["plain"], found["nhwc"], atol=1e-4)
    assert torch.allclose(found["plain"], found["bf16"], atol=0.05)


@pytest.mark.parametrize(
    ("setting", "is_packed"),
    [
        ({"fused": True}, True),
        ({"fused": True, "channels_last": True}, True),
        ({"fused": True, "runtime": "compile"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_fused_models_are_timed_with_packed_weights(small_request, setting, is_packed):
    request = small_request.model_copy(update={"setting": Setting(**setting)})
    model = create_subject(request.subject, request)
    assert any(type(weight) is FrozenWeight for weight in model.parameters()) == is_packed


@pytest.mark.parametrize("form", [{}, {"runtime": "compile"}])
def test_the_norms_left_in_all_models_are_counted(form, small_request):
    request = small_request.model_copy(update={"setting": Setting(fused=True, **form)})
    own, folded = (create_subject(TimedModel(model=name), request) for name in ("lsnet_nano", "test_resnet"))
    assert [norms_left(models) for models in ([own], [folded], [own, folded])] == [None, 0, 0]


def test_images_come_as_the_model_takes_them():
    images = create_images(2, 8, Setting(precision="bf16", channels_last=True), "cpu")
    assert (images.shape, images.dtype) == ((2, 3, 8, 8), torch.bfloat16)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert create_images(2, 8, Setting(), "cpu").is_contiguous()


def test_a_pass_runs_the_model_once_and_takes_time():
    seen = []
    images = create_images(2, 8, Setting(), "cpu")
    run = create_pass(seen.append, images, Setting())
    assert run() > 0
    assert len(seen) == 1
    assert seen[0] is images


def test_cuda_graphs_need_a_gpu():
    with pytest.raises(ConfigError, match="cuda_graphs: expected a GPU, found a job on the CPU"):
        create_pass(nn.Identity(), create_images(1, 8, Setting(), "cpu"), Setting(cuda_graphs=True))


@pytest.mark.gpu
@pytest.mark.parametrize("setting", [{}, {"cuda_graphs": True}, {"precision": "fp16", "fused": True}])
def test_a_pass_on_a_gpu_takes_time(setting, small_request):
    request = small_request.model_copy(update={"device": "cuda", "setting": Setting(**setting)})
    model = create_subject(request.subject, request)
    images = create_images(2, 32, request.setting, "cuda")
    with torch.inference_mode():
        run = create_pass(model, images, request.setting)
        run()
        assert 0 < run() < 1
